#!/usr/bin/env bash
# Does a GPT of 25 or 85 million parameters need warmup? The recipe of examples/pretrain.py on one GPU, in bfloat16.
#
#   benchmarks/gpu/pretrain.sh 25M                # 2 schedules × 3 peaks × 3 seeds, some minutes a run
#   benchmarks/gpu/pretrain.sh 85M
#   benchmarks/gpu/pretrain.sh tiny 1             # the same on a CPU with one seed, to see that it works
#
# The text is the standard library's source, some 10 MB: more updates than here would read it many times over.
set -euo pipefail
cd "$(dirname "$0")/../.."
size=${1:-25M}
seeds=${2:-3}
case $size in
  25M) shape="--depth 8 --width 512 --heads 8 --context 256 --batch 64 --total 1500" ;;
  85M) shape="--depth 12 --width 768 --heads 12 --context 256 --batch 64 --total 1500" ;;
  tiny) shape="--depth 2 --width 32 --heads 2 --context 32 --batch 8 --total 40" ;;
  *) echo "pretrain.sh: the size is 25M, 85M or tiny, not $size" >&2 && exit 2 ;;
esac
exec preheat compare --launch "python examples/pretrain.py --model gpt2 $shape --seed {seed}" \
  --arm none='decay(to=0.1, shape="cosine")' --arm linear='warmup("5%") >> decay(to=0.1, shape="cosine")' \
  --peaks 3e-4,1e-3,3e-3 --seeds "$seeds" --metric val_loss --out "runs/gpu-$size"
