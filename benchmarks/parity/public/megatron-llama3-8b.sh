#!/bin/bash
GLOBAL_BATCH_SIZE=128
SEQ_LENGTH=8192
TRAINING_ARGS=(
    --global-batch-size $GLOBAL_BATCH_SIZE
    --seq-length $SEQ_LENGTH
    --train-samples 1953125000
    --lr-decay-samples 1949218748
    --lr-warmup-samples 3906252
    --lr 0.00015
    --min-lr 0.00001
    --lr-decay-style cosine  # onto min-lr
    --weight-decay 0.1
)
torchrun pretrain_gpt.py "${TRAINING_ARGS[@]}"
