#!/bin/bash
# Many nodes under Slurm: one torchrun per node, one process per GPU; a lost node restarts all from the checkpoint.
#
#   sbatch --nodes=8 training/launch/slurm.sh contrastive build/stew runs/contrastive [--set field=value ...]
#
# The environment, the shards and the run's folder are at the same paths on every node.
#SBATCH --job-name=captionstew
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

recipe=${1:?a training recipe}; data=${2:?the build to learn from}; out=${3:?where the run lives}; shift 3
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))

srun torchrun \
  --nnodes="$SLURM_JOB_NUM_NODES" --nproc-per-node="${SLURM_GPUS_ON_NODE:-8}" --max-restarts=5 \
  --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$head:$port" \
  -m captionstew train "$recipe" --data "$data" --out "$out" "$@"
