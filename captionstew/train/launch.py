"""From one command to many processes: torchrun here and on more machines; each process joins its group."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from captionstew.errors import UsageError

_PATIENCE = timedelta(minutes=30)  # the slowest rank may validate, save or start for so long


@contextmanager
def joined() -> Iterator[torch.device]:
    """This process has joined the group that torchrun or Ray announced, if any; the device that it trains on."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    device = own_device()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    started = count > 1 and not dist.is_initialized()
    if started:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield device
    finally:
        if started:
            dist.destroy_process_group()


def own_device() -> torch.device:
    """The GPU of this process's local rank, or the CPU where there is none."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    return torch.device("cpu")


def launched() -> bool:
    """Whether this process is one of many that torchrun or Ray has started."""
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def torchrun(words: Sequence[str], ranks: int, restarts: int = 3) -> int:
    """`captionstew WORDS` in that many processes of this machine; a lost one restarts all from the checkpoint."""
    gpus = torch.cuda.device_count()
    if torch.cuda.is_available() and ranks > gpus:
        raise UsageError(f"{ranks} processes for {gpus} GPUs", hint=f"--gpus {gpus} at most")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}",
        f"--max-restarts={restarts}", "-m", "captionstew", *words,
    ]  # fmt: skip
    threads = max(1, (os.cpu_count() or 1) // ranks)
    return subprocess.run(
        command, env={"OMP_NUM_THREADS": str(threads), **os.environ}, check=False
    ).returncode
