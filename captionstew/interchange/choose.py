"""Which clips of a build are exported, and which of them share an output shard."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.clip import SUBSETS
from captionstew.corpora.strict import nearest
from captionstew.digest import digest
from captionstew.errors import StewError
from captionstew.shards.read import Clips, Numbers

_SUMMED = ["license", "duration"]
_COLUMNS = [*_SUMMED, "subset"]


@dataclass(frozen=True)
class Choice:
    """What to export: all corpora and splits unless some are named; of train, the clips of a nested subset."""

    corpora: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    subset: str = ""

    @property
    def subsets(self) -> tuple[str, ...]:
        """The names that the column `subset` has in the chosen one; none where all is chosen."""
        names = tuple(SUBSETS)
        return names[: names.index(self.subset) + 1] if self.subset else ()


EVERYTHING = Choice()


@dataclass(frozen=True)
class Part:
    """The clips of one output shard, by ascending numbers."""

    name: str  # <corpus>-<split>-<number>
    corpus: str
    split: str
    numbers: Numbers
    clips: Clips

    @cached_property
    def identity(self) -> str:
        """A hash of the clips' numbers and of the shards that they lie in."""
        files, first = [], 0
        for file in self.clips.sidecar.files:
            if first <= self.numbers[-1] and self.numbers[0] < first + file.rows:
                files.append((file.sha256, first))
            first += file.rows
        return digest(files, blake2b(self.numbers.tobytes(), digest_size=16).hexdigest())


@dataclass(frozen=True)
class Count:
    """What is exported of one corpus, split and license."""

    corpus: str
    split: str
    license: str
    clips: int
    captions: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """All output shards in order; received = the sum of `counts` + the sum of `left_out`."""

    parts: tuple[Part, ...]
    counts: tuple[Count, ...]
    received: int
    left_out: Mapping[str, int]

    @property
    def num_clips(self) -> int:
        """Clips that are exported."""
        return sum(count.clips for count in self.counts)

    def prefixes(self) -> dict[str, int]:
        """How many shards each `<corpus>-<split>` has."""
        return dict(Counter(part.name.rpartition("-")[0] for part in self.parts))


def plan(clips: Clips, choice: Choice, shard_clips: int) -> Plan:
    """Output shards of `shard_clips` clips, each of one corpus and split; StewError if nothing is chosen."""
    _check(clips, choice)
    parts: list[Part] = []
    counts: list[Count] = []
    left_out = {"corpus": 0, "split": 0, "subset": 0}
    for corpus, split in sorted({(file.corpus, file.split) for file in clips.sidecar.files if file.rows}):
        rows = sum(map(len, clips.ranges(corpus, split)))
        if choice.corpora and corpus not in choice.corpora:
            left_out["corpus"] += rows
        elif choice.splits and split not in choice.splits:
            left_out["split"] += rows
        else:
            numbers, found = _chosen(clips, corpus, split, choice.subsets if split == "train" else ())
            left_out["subset"] += rows - len(numbers)
            parts += _parts(clips, corpus, split, numbers, shard_clips)
            counts += found
    made = Plan(tuple(parts), tuple(counts), len(clips), left_out)
    assert made.received == made.num_clips + sum(left_out.values()), (made.received, left_out)
    if not parts:
        raise StewError(
            "no clip is chosen", cause=str(left_out), hint="choose another --corpus, --split or --subset"
        )
    return made


def _check(clips: Clips, choice: Choice) -> None:
    """Every name that was given is one of the build's."""
    files = clips.sidecar.files
    known = {
        "corpus": (choice.corpora, sorted({file.corpus for file in files})),
        "split": (choice.splits, sorted({file.split for file in files})),
        "subset": ((choice.subset,) if choice.subset else (), list(SUBSETS)),
    }
    for option, (given, there) in known.items():
        for name in given:
            if name not in there:
                raise StewError(
                    f"--{option} {name}: there is none here",
                    where=str(clips.folder),
                    hint=nearest(name, there),
                )


def _chosen(clips: Clips, corpus: str, split: str, subsets: Sequence[str]) -> tuple[Numbers, list[Count]]:
    """The numbers of the chosen clips of a split, and what they amount to by license."""
    numbers = [np.empty(0, np.uint32)]
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for part in clips.ranges(corpus, split):
        for first, table in clips.tables(part.start, part.stop, _COLUMNS):
            inside = np.arange(first, first + len(table), dtype=np.uint32)
            if subsets:
                keep = pc.is_in(table["subset"], value_set=pa.array(subsets, pa.string()))
                inside, table = inside[keep.to_numpy()], table.filter(keep)
            numbers.append(inside)
            for number, row in zip(inside.tolist(), table.select(_SUMMED).to_pylist(), strict=True):
                total = sums[row["license"]]
                total[0] += 1
                total[1] += int(clips.num_captions[number])
                total[2] += row["duration"]
    counts = [
        Count(corpus, split, name, int(clips_), int(captions), round(seconds, 3))
        for name, (clips_, captions, seconds) in sorted(sums.items())
    ]
    return np.concatenate(numbers), counts


def _parts(clips: Clips, corpus: str, split: str, numbers: Numbers, size: int) -> Iterator[Part]:
    for place, first in enumerate(range(0, len(numbers), size)):
        yield Part(f"{corpus}-{split}-{place:06d}", corpus, split, numbers[first : first + size], clips)
