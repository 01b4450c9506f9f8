"""Does every row of a shard keep its promises: id, place, durations, captions, license, audio?"""

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from captionstew.clip import SUBSETS, is_safe_id, subset
from captionstew.shards.findings import Findings
from captionstew.shards.layout import ShardName

_CLIP_SECONDS = 10.0  # that a clip without an end may cover, as decontamination assumes
Spans = Mapping[str, list[tuple[float, float]]]  # evaluation clips by recording: seconds from, to

_LICENSE = r"(?:LicenseRef-[A-Za-z0-9.-]+|[A-Za-z0-9][A-Za-z0-9.-]*\+?)"
_EXPRESSION = re.compile(rf"{_LICENSE}(?: (?:AND|OR|WITH) {_LICENSE})*")
_NO_LICENSE = {"none", "noassertion", "unknown", "other", "null", "nan", "na"}


def evaluation_spans(evaluation: pl.DataFrame | None) -> Spans:
    """Evaluation clips (source_id, start, end) by recording; an unknown start or end is its own."""
    spans: dict[str, list[tuple[float, float]]] = {}
    if evaluation is not None:
        for source, start, end in evaluation.select("source_id", "start", "end").iter_rows():
            spans.setdefault(source, []).append(_span(start, end))
    return spans


def _span(start: float | None, end: float | None) -> tuple[float, float]:
    return (-math.inf if start is None else start, math.inf if end is None else end)


@dataclass
class RowChecks:
    """Checks rows as they are read, one row group at a time, and remembers what they have in common."""

    findings: Findings
    spans: Spans
    pool: ThreadPoolExecutor
    decoded: Callable[[int], bool]  # whether to decode the clip of this number, counted over the folder
    clips: int = 0
    decodes: int = 0
    lengths: dict[str, float] = field(default_factory=dict)  # seconds by tier
    largest: int = 0
    num_captions: int = 0
    subsets: dict[str | None, int] = field(default_factory=dict)
    licenses: set[str] = field(default_factory=set)
    ids: dict[str, list[tuple[str, pa.Array]]] = field(default_factory=dict)

    @property
    def different(self) -> int:
        """Clips, each counted once: the tier `captions` holds those of the others."""
        return max(self.clips, sum(len(ids) for _, ids in self.ids.get("captions", ())))

    @property
    def seconds(self) -> float:
        """Of all clips, each counted once: the tier `captions` holds those of the others."""
        return max(
            self.lengths.get("captions", 0.0),
            math.fsum(self.lengths[one] for one in self.lengths if one != "captions"),
        )

    def shard(self, file: pq.ParquetFile, path: str, name: ShardName | None) -> Iterator[pa.Table]:
        """Check every row of a shard; hands each readable row group out after it was checked."""
        last_id = ""
        for number in range(file.num_row_groups):
            try:
                group = file.read_row_group(number)
                group.validate(full=True)
            except (pa.ArrowException, OSError) as error:
                self.findings.fail("files", f"{path}: row group {number} cannot be read: {error}")
                continue
            self._home(group, path, name)
            last_id = self._ids(group, path, last_id)
            self._subset(group, path)
            self._durations(group, path)
            self._captions(group, path)
            self._licenses(group, path)
            self._evaluation(group, path)
            if "audio" in group.column_names:
                self._audio(group, path)
            yield group

    def unique(self) -> None:
        """No two rows of a tier share an id."""
        for places in self.ids.values():
            every = pa.chunked_array([ids for _, ids in places], pa.string())
            counts = pc.value_counts(every)
            twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
            for path, ids in places if len(twice) else ():
                for clip_id in ids.filter(pc.is_in(ids, value_set=twice)).to_pylist():
                    self.findings.fail("ids", f"{path}: {clip_id}: not the only row with this id")

    def details(self) -> dict[str, str]:
        """What was looked at, by check."""
        spans = sum(map(len, self.spans.values()))
        return {
            "ids": f"{sum(len(ids) for places in self.ids.values() for _, ids in places)} ids",
            "subset": ", ".join(f"{name} {self.subsets[name]:,}" for name in SUBSETS if name in self.subsets),
            "audio": f"{self.decodes} of {self.clips} clips decoded",
            "durations": f"{self.seconds / 3600:.2f} hours",
            "captions": f"{self.num_captions} captions",
            "licenses": ", ".join(sorted(self.licenses)[:5]) + (", ..." if len(self.licenses) > 5 else ""),
            "writer": f"largest clip {self.largest:,} bytes",
            "evaluation": f"{spans} evaluation clips of {len(self.spans)} recordings",
        }

    def _home(self, group: pa.Table, path: str, name: ShardName | None) -> None:
        homes = set(zip(group["corpus"].to_pylist(), group["split"].to_pylist(), strict=True))
        for corpus, split in sorted(homes - ({(name.corpus, name.split)} if name else set())):
            self.findings.fail("files", f"{path}: rows of {corpus} {split}")

    def _ids(self, group: pa.Table, path: str, last_id: str) -> str:
        self.ids.setdefault(path.split("/")[1], []).append((path, group["clip_id"].combine_chunks()))
        for clip_id in group["clip_id"].to_pylist():
            if not is_safe_id(clip_id):
                self.findings.fail("ids", f"{path}: {clip_id!r} is not a safe id")
            if clip_id <= last_id:
                self.findings.fail("ids", f"{path}: {clip_id} stands after {last_id}")
            last_id = clip_id
        return last_id

    def _subset(self, group: pa.Table, path: str) -> None:
        """As drawn from the id, or not drawn at all."""
        for clip_id, name in _rows(group, ("clip_id", "subset")):
            if name is not None and name != subset(clip_id):
                self.findings.fail("subset", f"{path}: {clip_id}: {name!r} is not {subset(clip_id)!r}")
            self.subsets[name] = self.subsets.get(name, 0) + 1

    def _durations(self, group: pa.Table, path: str) -> None:
        names, tier = ("clip_id", "duration", "num_samples", "sample_rate"), path.split("/")[1]
        for clip_id, duration, samples, rate in _rows(group, names):
            if samples <= 0 or rate <= 0 or not math.isclose(duration, samples / rate, rel_tol=1e-9):
                fault = f"{duration} s, but {samples} samples at {rate} Hz"
                self.findings.fail("durations", f"{path}: {clip_id}: {fault}")
            else:
                self.lengths[tier] = self.lengths.get(tier, 0.0) + duration

    def _captions(self, group: pa.Table, path: str) -> None:
        for clip_id, captions in _rows(group, ("clip_id", "captions")):
            self.num_captions += len(captions)
            by_machine = [caption["style"] != "human" for caption in captions]
            if by_machine != sorted(by_machine):
                self.findings.fail("captions", f"{path}: {clip_id}: a human caption after a generated one")
            if any(not caption["text"].strip() for caption in captions):
                self.findings.fail("captions", f"{path}: {clip_id}: an empty caption")

    def _licenses(self, group: pa.Table, path: str) -> None:
        names = set(pc.unique(group["license"]).to_pylist())
        self.licenses |= names
        wrong = {name for name in names if not is_license(name)}
        for clip_id, name in _rows(group, ("clip_id", "license")) if wrong else ():
            if name in wrong:
                self.findings.fail("licenses", f"{path}: {clip_id}: {name!r} is no SPDX expression")

    def _evaluation(self, group: pa.Table, path: str) -> None:
        names = ("clip_id", "split", "source_id", "start", "end", "duration")
        for clip_id, split, source, start, end, duration in _rows(group, names) if self.spans else ():
            known = end if end is not None or start is None else start + max(duration, _CLIP_SECONDS)
            first, last = _span(start, known)
            for begin, stop in self.spans.get(source, ()) if split == "train" else ():
                if first < stop and begin < last:
                    fault = f"overlaps {source} from {begin:g} to {stop:g} s"
                    self.findings.fail("evaluation", f"{path}: {clip_id}: {fault}")
                    break

    def _audio(self, group: pa.Table, path: str) -> None:
        """Decode in the pool: both the codec and the hash let other threads run."""
        chosen = [row for row in range(len(group)) if self.decoded(self.clips + row)]
        self.clips += len(group)
        sizes = pc.binary_length(pc.struct_field(group["audio"], "bytes"))
        self.largest = max(self.largest, pc.max(sizes).as_py() or 0)
        names = ("clip_id", "audio", "codec", "num_samples", "sample_rate", "audio_sha256")
        rows = list(_rows(group.take(pa.array(chosen, pa.int64())), names))
        self.decodes += len(rows)
        for (clip_id, *_), fault in zip(rows, self.pool.map(audio_fault, rows), strict=True):
            if fault:
                self.findings.fail("audio", f"{path}: {clip_id}: {fault}")


def is_license(name: str) -> bool:
    """Whether a license is an SPDX expression or a LicenseRef, and says something."""
    return bool(_EXPRESSION.fullmatch(name)) and name.lower() not in _NO_LICENSE


def _rows(group: pa.Table, names: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(group[name].to_pylist() for name in names), strict=True)


def audio_fault(row: tuple[Any, ...]) -> str:
    """What is wrong with a clip's audio; empty if it is what the row says."""
    from captionstew.audio.codec import LOSSLESS, Undecodable, decode_pcm

    _, audio, codec, num_samples, sample_rate, sha256 = row
    if not audio or not audio["bytes"]:
        return "has no audio"
    try:
        pcm, rate = decode_pcm(audio["bytes"], codec)
    except Undecodable as error:
        return f"does not decode: {error}"
    if pcm.shape != (num_samples,) or rate != sample_rate:
        return f"decodes to {pcm.shape} samples at {rate} Hz, not {num_samples} at {sample_rate}"
    if codec not in LOSSLESS:  # what was encoded cannot be had back; the file's own hash covers the bytes
        return ""
    got = hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest()
    return "" if got == sha256 else f"its samples hash to {got[:12]}, not {sha256[:12]}"
