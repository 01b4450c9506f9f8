"""What changes with the batch count, and the randomness of one encoder, held where it can be saved and replayed."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

Function = TypeVar("Function", bound=Callable[..., Any])


def uncompiled(function: Function) -> Function:
    """`function`, which torch.compile leaves as it is: draws and reports are effects that it may not fold or drop."""
    kept: Function = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
    return kept


class Schedule:
    """A piecewise linear function of the batch count through `points`, constant before the first and after the last.

    The batch count is steps x (seconds of audio per step over all ranks) / 600.
    """

    __slots__ = ("points",)

    def __init__(self, *points: tuple[float, float]) -> None:
        self.points = tuple((float(at), float(value)) for at, value in points)
        starts = [at for at, _ in self.points]
        assert starts == sorted({*starts}), points

    def at(self, batch_count: float) -> float:
        """The value at `batch_count`."""
        before, value = self.points[0]
        for after, next_value in self.points:
            if batch_count <= after:
                share = (batch_count - before) / (after - before) if batch_count > before else 0.0
                return value + share * (next_value - value)
            before, value = after, next_value
        return value

    def __repr__(self) -> str:
        return f"Schedule({', '.join(map(str, self.points))})"


@dataclass(frozen=True)
class Draws:
    """Where the random streams of a `Chance` stand; what follows can be drawn again from here."""

    host: tuple[Any, ...]
    devices: dict[str, Tensor]


class Chance:
    """The randomness of one encoder in training: coin flips on the host, tensors from a generator per device.

    Held beside the module, so that nothing of it is in the module's state; equal `state` gives equal draws. Every
    draw is made in the forward pass; a backward pass only reports what it found. While `active` is False nothing
    training-only happens. `batch_count` is to be set once per optimiser step, before its forward passes.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.active, self._batch_count = seed, True, 0.0
        self._host = random.Random(seed)
        self._generators: dict[str, torch.Generator] = {}
        self._pending: dict[str, Tensor] = {}  # states of devices that were restored and not drawn from yet
        self._num_enrolled = 0
        self._over: dict[int, bool] = {}
        self._reported: dict[int, Tensor] = {}
        self._arriving: tuple[list[int], Tensor, torch.cuda.Event | None] | None = None

    @property
    def batch_count(self) -> float:
        """Steps x seconds per step / 600; setting it marks the border between two steps."""
        return self._batch_count

    @batch_count.setter
    def batch_count(self, count: float) -> None:
        self._batch_count = float(count)
        self._settle()

    def reseed(self, seed: int) -> None:
        """The draws to come follow from `seed` alone, on every device; what backward passes reported is kept."""
        self.seed = seed
        self._host.seed(seed)
        self._pending = {}
        for generator in self._generators.values():
            generator.manual_seed(seed)

    @uncompiled
    def value(self, quantity: Schedule | float) -> float:
        """What `quantity` is at the present batch count."""
        return quantity.at(self._batch_count) if isinstance(quantity, Schedule) else float(quantity)

    @uncompiled
    def flip(self, probability: float) -> bool:
        """True with `probability`; costs one draw of the host's stream in every case."""
        return self._host.random() < probability

    @uncompiled
    def rand(
        self, shape: Sequence[int], device: torch.device | str, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Uniform numbers in [0, 1) from this device's own generator."""
        generator = self._generator(torch.device(device))
        return torch.rand(tuple(shape), generator=generator, device=generator.device, dtype=dtype)

    def draws(self) -> Draws:
        """Where the random streams stand; costs no wait for a device."""
        at = dict(self._pending)
        at.update({name: generator.get_state() for name, generator in self._generators.items()})
        return Draws(self._host.getstate(), at)

    @contextmanager
    def replay(self, draws: Draws) -> Iterator[None]:
        """Inside, the draws made after `draws` come again; afterwards the streams stand where they stood before.

        For activation checkpointing and GradCache; what backward passes report is kept.
        """
        now = self.draws()
        self._rewind(draws)
        try:
            yield
        finally:
            self._rewind(now)

    def state(self) -> dict[str, Any]:
        """All that decides the draws to come, as JSON takes it; for a replay take `draws`, which never waits."""
        numbers, over, event = self._arriving or ([], torch.empty(0), None)
        if event is not None:
            event.synchronize()
        draws = self.draws()
        return {
            "seed": self.seed,
            "host": [draws.host[0], list(draws.host[1]), draws.host[2]],
            "devices": {name: at.numpy().tobytes().hex() for name, at in draws.devices.items()},
            "batch_count": self._batch_count,
            "over": [[number, flag] for number, flag in self._over.items()],
            "arriving": [[number, flag] for number, flag in zip(numbers, over.tolist(), strict=True)],
            "reported": [[number, bool(flag)] for number, flag in self._reported.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue as the `Chance` did that `state` was taken of."""
        version, host, gauss = state["host"]
        devices = {
            name: torch.frombuffer(bytearray.fromhex(at), dtype=torch.uint8)
            for name, at in state["devices"].items()
        }
        self.seed = state["seed"]
        self._rewind(Draws((version, tuple(host), gauss), devices))
        self._batch_count = state["batch_count"]
        self._over = dict(state["over"])
        self._reported = {number: torch.tensor(flag) for number, flag in state["reported"]}
        numbers, flags = [number for number, _ in state["arriving"]], [flag for _, flag in state["arriving"]]
        self._arriving = (numbers, torch.tensor(flags), None) if numbers else None

    def __reduce__(self) -> tuple[object, ...]:  # generators and events cannot be copied
        return _rebuild, (self.active, self._num_enrolled, self.state())

    def enrol(self) -> int:
        """A number for a module that reports, by order of first use."""
        self._num_enrolled += 1
        return self._num_enrolled - 1

    def report(self, number: int, over: Tensor) -> None:
        """Note from a backward pass whether module `number` was over its limit (a 0-d bool, left on its device)."""
        self._reported[number] = over

    def was_over(self, number: int) -> bool:
        """What module `number` reported last, up to the step before the previous one; True before any report."""
        return self._over.get(number, True)

    def _settle(self) -> None:
        # Reports travel to the host while a whole step runs, so nothing waits, and the moment at which they count
        # does not depend on timing.
        if self._arriving is not None:
            numbers, over, event = self._arriving
            if event is not None:
                event.synchronize()
            self._over.update(zip(numbers, over.tolist(), strict=True))
            self._arriving = None
        if self._reported:
            device = next(reversed(self._reported.values())).device  # restored ones may lie elsewhere
            over = torch.stack([report.to(device) for report in self._reported.values()])
            self._arriving = (list(self._reported), *_to_host(over))
            self._reported = {}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device.type == "cuda" and device.index is None:
            device = torch.device("cuda", torch.cuda.current_device())
        name = str(device)
        if name not in self._generators:
            generator = torch.Generator(device).manual_seed(self.seed)
            if name in self._pending:
                generator.set_state(self._pending.pop(name))
            self._generators[name] = generator
        return self._generators[name]

    def _rewind(self, draws: Draws) -> None:
        self._host.setstate(draws.host)
        self._pending = {}
        for name, generator in self._generators.items():
            if name not in draws.devices:
                generator.manual_seed(self.seed)
        for name, at in draws.devices.items():
            if name in self._generators:
                self._generators[name].set_state(at)
            else:
                self._pending[name] = at


def _rebuild(active: bool, num_enrolled: int, state: dict[str, Any]) -> Chance:
    chance = Chance(state["seed"])
    chance.active, chance._num_enrolled = active, num_enrolled
    chance.restore(state)
    return chance


def _to_host(over: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    if over.device.type != "cuda":
        return over.cpu(), None
    host = torch.empty(over.shape, dtype=over.dtype, pin_memory=True)
    host.copy_(over, non_blocking=True)
    event = torch.cuda.Event()  # type: ignore[no-untyped-call]
    event.record(torch.cuda.current_stream(over.device))
    return host, event
