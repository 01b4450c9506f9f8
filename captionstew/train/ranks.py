"""Which process of how many this is; one of one where no process group runs."""

import torch.distributed as dist


def rank() -> int:
    """This process's number, from zero."""
    return dist.get_rank() if _running() else 0


def world() -> int:
    """How many processes train together."""
    return dist.get_world_size() if _running() else 1


def _running() -> bool:
    return dist.is_available() and dist.is_initialized()
