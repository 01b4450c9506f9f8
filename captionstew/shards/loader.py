"""Batches of a plan, decoded by threads of this process into memory that is used again."""

import logging
import os
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Generic, Self, TypeVar

import numpy as np

from captionstew.audio.codec import Pcm, Undecodable, codec_of, decode_into
from captionstew.audio.crop import decode_part
from captionstew.errors import StewError
from captionstew.shards.plan import START, Items, Plan, Position
from captionstew.shards.read import Clips

logger = logging.getLogger(__name__)

T = TypeVar("T")
Buffer = Callable[[tuple[int, int]], Pcm]

_AHEAD = 3  # batches that wait besides those in work
_FEW = 1_000  # clips to have seen before the share of bad ones means anything


@dataclass(frozen=True)
class Skip:
    """A clip that a batch lacks because its audio does not decode."""

    clip: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Batch:
    """Rows `audio[i, : items.lengths[i]]` of 16-bit samples, zeros behind; what was skipped; where to go on after it.

    The memory of `audio` is used again once nothing refers to it.
    """

    audio: Pcm
    items: Items
    skipped: tuple[Skip, ...]
    position: Position


@dataclass
class Tally:
    """What went into batches that were handed out: clips, samples, samples with padding; clips skipped, by reason."""

    num_clips: int = 0
    num_samples: int = 0
    num_padded: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def padding(self) -> float:
        """The share of padding in the audio."""
        return 1 - self.num_samples / self.num_padded if self.num_padded else 0.0

    def add(self, batch: Batch) -> None:
        """Count one more batch."""
        self.num_clips += len(batch.items) + len(batch.skipped)
        self.num_samples += int(batch.items.lengths.sum())
        self.num_padded += batch.audio.size
        self.skipped.update(skip.reason for skip in batch.skipped)


class Loader(Generic[T]):
    """What `finish` makes of the batches of a plan, from a position on, in the plan's order however many threads.

    Each thread makes one batch at a time, `finish` included. A clip that does not decode is left out of its batch,
    counted in `tally` by its reason and logged; StewError once they are more than the share `max_bad`, or if a
    whole batch is. Anything else that a thread meets rises here, with its clip. `buffer` gives memory of a shape.
    """

    def __init__(
        self,
        clips: Clips,
        plan: Plan,
        finish: Callable[[Batch], T],
        position: Position = START,
        *,
        threads: int = 0,
        rank: int = 0,
        world: int = 1,
        buffer: Buffer | None = None,
        max_bad: float = 0.01,
        tally: Tally | None = None,
    ) -> None:
        self.clips, self.plan, self.position, self.max_bad = clips, plan, position, max_bad
        self.tally = tally if tally is not None else Tally()
        self._finish, self._buffer = finish, buffer or Buffers(plan.batch_samples)
        self._planned = plan.batches(position, rank, world)
        threads = threads or default_threads()
        self._pool = ThreadPoolExecutor(threads, "captionstew-loader")
        self._room = threads + _AHEAD
        self._queue: deque[Future[tuple[Batch, T] | Batch]] = deque()

    def close(self) -> None:
        """The threads have ended; what they had ready is lost, `position` stands."""
        self._planned = iter(())
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._queue.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while True:
            self._fill()
            if not self._queue:
                raise StopIteration
            made = self._queue.popleft().result()
            self._fill()
            batch, finished = made if isinstance(made, tuple) else (made, None)
            self._account(batch)
            if finished is not None:
                return finished

    def _fill(self) -> None:
        while len(self._queue) < self._room and (planned := next(self._planned, None)):
            self._queue.append(self._pool.submit(self._make, *planned))

    def _make(self, items: Items, position: Position) -> tuple[Batch, T] | Batch:
        """A batch and what became of it, or a batch without a row."""
        audio = self._buffer((len(items), int(items.lengths.max())))
        kept: list[int] = []
        skipped: list[Skip] = []
        for row, (clip, start, length) in enumerate(
            zip(items.clips.tolist(), items.starts.tolist(), items.lengths.tolist(), strict=True)
        ):
            try:
                self._decode(clip, start, length, audio[len(kept)])
                kept.append(row)
            except Undecodable as error:
                skipped.append(Skip(clip, error.reason, error.detail))
            except (StewError, OSError) as error:
                message = f"{self._place(clip)} cannot be read"
                raise StewError(message, cause=str(error), where=str(self.clips.folder)) from error
        if skipped:
            items = items[np.array(kept, np.int64)]
        batch = Batch(audio[: len(kept)], items, tuple(skipped), position)
        return (batch, self._finish(batch)) if kept else batch

    def _decode(self, clip: int, start: int, length: int, row: Pcm) -> None:
        data = self.clips.clip_bytes(clip)
        if length == self.plan.num_samples[clip]:
            decode_into(data, codec_of(data), row[:length])
        else:
            decode_part(data, codec_of(data), start, row[:length])
        row[length:] = 0

    def _account(self, batch: Batch) -> None:
        self.position = batch.position
        self.tally.add(batch)
        for skip in batch.skipped:
            logger.warning("%s is skipped: %s, %s", self._place(skip.clip), skip.reason, skip.detail)
        bad, seen = self.tally.skipped.total(), self.tally.num_clips
        nothing = self.plan.batching.shuffle and not len(batch.items)
        if bad > self.max_bad * max(seen, _FEW) or nothing:
            last = batch.skipped[-1]
            cause = f"the last is {self._place(last.clip)}: {last.reason}, {last.detail}"
            message = f"{bad} of {seen} clips do not decode" + (", a whole batch" if nothing else "")
            hint = "captionstew validate says which shards are damaged: build or fetch them again"
            raise StewError(message, cause=cause, where=str(self.clips.folder), hint=hint)

    def _place(self, clip: int) -> str:
        """A clip's id, file and row, for people."""
        row = clip
        for file in self.clips.sidecar.files:
            if row < file.rows:
                break
            row -= file.rows
        try:
            name = self.clips.row(clip, ["clip_id"])["clip_id"][0].as_py()
        except StewError:
            name = f"clip {clip}"
        return f"{name} ({file.path}, row {row})"


class Buffers:
    """Memory for batches: a piece is handed out again once nobody holds a view of it."""

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples
        self._free: deque[Pcm] = deque()

    def __call__(self, shape: tuple[int, int]) -> Pcm:
        """An array of that shape, holding anything. Fresh memory would cost a page fault for every 4 kB."""
        count = shape[0] * shape[1]
        assert count <= self.num_samples, (shape, self.num_samples)
        try:
            piece = self._free.pop()
        except IndexError:
            piece = np.empty(self.num_samples, np.int16)
        lease = piece[:]  # NumPy would point views of it at `piece` directly, but not one of its memoryview
        weakref.finalize(lease, self._free.append, piece).atexit = False
        return np.frombuffer(lease.data, np.int16, count).reshape(shape)


def default_threads() -> int:
    """One for each core that this process may use, four at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 4)


def as_it_is(batch: Batch) -> Batch:
    """The `finish` of a loader that hands out its batches as they are."""
    return batch
