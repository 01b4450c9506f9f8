"""Before a run: its worst batches are tried, memory and time are measured, the whole is estimated."""

import resource
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from captionstew.errors import StewError
from captionstew.train.data import Batch, TrainingData
from captionstew.train.ranks import gather, world

if TYPE_CHECKING:
    from captionstew.train.loop import Trainer

_TYPICAL = 3  # steps of ordinary batches whose time is measured


@dataclass(frozen=True)
class Estimate:
    """What a run will need: measured on its batches with the most frames and with the most rows."""

    parameters: int
    clips: int
    hours: float
    validation_clips: int
    ranks: int
    device: str
    worst_clips: int
    worst_seconds: float  # of each of them
    peak_bytes: int  # of device memory; on the CPU, of the process
    step_seconds: float
    total_seconds: float
    hours_per_day: float  # of audio

    def plain(self) -> Mapping[str, Any]:
        """As JSON takes it."""
        return asdict(self)


def preflight(trainer: "Trainer") -> Estimate:
    """The run fits: a forward and a backward pass of its worst batches went through. Nothing has changed after it.

    StewError if the device has not enough memory, with what to lower.
    """
    data, learner = trainer.data, trainer.learner
    states = learner.random_state()
    buffers = {name: value.clone() for name, value in learner.named_buffers()}
    learner.train()
    longest, widest = _worst(data)
    try:
        for items in (longest, widest):
            _tried(trainer, items)
        seconds = [_tried(trainer, items) for items in _typical(data)]
    except torch.OutOfMemoryError as error:
        hint = "lower data.seconds or data.longest, or set audio.checkpointing=true"
        raise StewError(
            "the worst batch does not fit into the device's memory", cause=str(error), hint=hint
        ) from error
    learner.zero_grad(set_to_none=True)
    learner.restore_random_state(states)
    for name, value in learner.named_buffers():
        value.copy_(buffers[name])
    return _estimate(trainer, longest, float(np.median([one for few in gather(seconds) for one in few])))


def _estimate(trainer: "Trainer", longest: Any, seconds: float) -> Estimate:
    data, run = trainer.data, trainer.run
    step = seconds * run.accumulate * (2 if run.cached else 1)
    each = run.data.seconds * run.accumulate * world() * (1 - data.plan.padding())
    return Estimate(
        parameters=sum(p.numel() for p in trainer.learner.parameters()), clips=data.plan.num_items,
        hours=data.plan.hours, validation_clips=_held(trainer), ranks=world(), device=_name(trainer.device),
        worst_clips=len(longest), worst_seconds=float(longest.lengths.max()) / data.plan.sample_rate,
        peak_bytes=max(gather(_peak(trainer.device))), step_seconds=step,
        total_seconds=step * (run.steps - trainer.step), hours_per_day=each / step * 24,
    )  # fmt: skip


def _held(trainer: "Trainer") -> int:
    return trainer.validate.data.plan.num_items if trainer.validate else 0


def _tried(trainer: "Trainer", items: Any) -> float:
    """Seconds of one forward and backward pass."""
    batch: Batch = trainer.data.stand_in(items).to(trainer.device)
    trainer.learner.begin(0, 0.0)
    began = time.perf_counter()
    with trainer.precision.autocast(trainer.device):
        loss = trainer.learner(batch)
    loss.total.backward()
    trainer.learner.zero_grad(set_to_none=True)
    if trainer.device.type == "cuda":
        torch.cuda.synchronize(trainer.device)
    return time.perf_counter() - began


def _worst(data: TrainingData) -> tuple[Any, Any]:
    """Of some windows, the batch with the greatest frames squared and the one with the most rows."""
    batches = [items for window in _windows(data) for items in data.plan.window(window)]
    squares = [float(len(items) * items.lengths.max().astype(float) ** 2) for items in batches]
    rows = [len(items) for items in batches]
    return batches[int(np.argmax(squares))], batches[int(np.argmax(rows))]


def _typical(data: TrainingData) -> Iterator[Any]:
    batches = data.plan.window(0)
    for number in np.linspace(0, len(batches) - 1, min(_TYPICAL, len(batches))).astype(int):
        yield batches[number]


def _windows(data: TrainingData) -> list[int]:
    return sorted({int(n) for n in np.linspace(0, data.plan.num_windows - 1, 8)})


def _peak(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _name(device: torch.device) -> str:
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU ({torch.get_num_threads()} threads)"
    )
