# The 1x schedule of mmdetection: 12 epochs, a warmup of 500 iterations, and the rate divided by ten after 8 and 11 epochs.
train_cfg = {"type": "EpochBasedTrainLoop", "max_epochs": 12, "val_interval": 1}
param_scheduler = [
    {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 500},
    {"type": "MultiStepLR", "begin": 0, "end": 12, "by_epoch": True, "milestones": [8, 11], "gamma": 0.1},
]
optim_wrapper = {
    "type": "OptimWrapper",
    "optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9, "weight_decay": 0.0001},
}
auto_scale_lr = {"enable": False, "base_batch_size": 16}
