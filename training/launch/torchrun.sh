#!/bin/bash
# Many machines without a scheduler: run this on each of them, with the same HEAD (host:port of the first).
#
#   NODES=2 GPUS=8 HEAD=node0:29400 training/launch/torchrun.sh contrastive build/stew runs/contrastive [--set ...]
set -euo pipefail

recipe=${1:?a training recipe}; data=${2:?the build to learn from}; out=${3:?where the run lives}; shift 3
torchrun \
  --nnodes="${NODES:-1}" --nproc-per-node="${GPUS:-gpu}" --max-restarts=5 \
  --rdzv-id="${ID:-captionstew}" --rdzv-backend=c10d --rdzv-endpoint="${HEAD:-localhost:29400}" \
  -m captionstew train "$recipe" --data "$data" --out "$out" "$@"
