"""The CIFAR example among DeepSpeed's own."""

from benchmarks.parity.case import Public
from benchmarks.parity.peers.deepspeed import PEER, VERSION, ran

PARAMS = {"warmup_min_lr": 0, "warmup_max_lr": 0.001, "warmup_num_steps": 1000}
PUBLIC = [
    Public(
        "deepspeed-cifar.json",
        "https://github.com/microsoft/DeepSpeedExamples/blob/885dc1e04864748c867150b5c8f5edfcea5148ea/cifar/ds_config.json",
        {"total": 3000},
        lambda n: ran("WarmupLR", PARAMS, 0.001, n),
        3000,
    )
]
__all__ = ["PEER", "PUBLIC", "VERSION"]
