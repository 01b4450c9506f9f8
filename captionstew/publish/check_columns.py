"""Does every row of a release stand where it may? Told by a few small columns; the audio is left where it is."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.clip import is_safe_id
from captionstew.corpora.facts import corpus
from captionstew.errors import CorpusError
from captionstew.publish.contents import TIERS
from captionstew.publish.gate import Gate
from captionstew.shards.check_rows import is_license
from captionstew.shards.check_splits import check_apart
from captionstew.shards.findings import Findings
from captionstew.shards.release import ReleaseFile

COLUMNS = ("clip_id", "corpus", "split", "source_id", "speaker", "duration", "license")
_APART = ("clip_id", "corpus", "split", "source_id", "speaker")
_LISTED = 5  # clips that are named of each corpus, license and tier


@dataclass
class Columns:
    """Checks shards one after the other, and remembers what they have in common."""

    findings: Findings
    gate: Gate
    removed: Collection[str]
    apart: Mapping[str, Sequence[str]] | None = (
        None  # the splits that share no recording or speaker with train
    )
    once: Collection[str] = ("captions",)  # tiers that have each clip once
    # By tier, corpus and split, then license: clips and seconds of each shard.
    seconds: dict[tuple[str, str, str], dict[str, list[tuple[int, float]]]] = field(default_factory=dict)
    ids: dict[str, list[pa.ChunkedArray]] = field(default_factory=lambda: defaultdict(list))
    tables: list[pa.Table] = field(default_factory=list)  # of the tiers `once`, for `apart`
    licenses: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)  # that were read

    def shard(self, file: ReleaseFile, table: pa.Table) -> None:
        """The rows of one shard."""
        self.files.add(file.path)
        if len(table) != file.rows:
            self.findings.fail("files", f"{file.path}: {len(table)} rows, {file.rows} in the manifest")
        homes = set(zip(table["corpus"].to_pylist(), table["split"].to_pylist(), strict=True))
        for name, split in sorted(homes - {(file.corpus, file.split)}):
            self.findings.fail("files", f"{file.path}: rows of {name} {split}")
        self._ids(file, table["clip_id"])
        self._licenses(file, table)
        self.ids[file.tier].append(table["clip_id"])
        if self.apart and file.tier in self.once:
            self.tables.append(table.select(_APART))

    def over(self) -> None:
        """All shards were seen: what no single one can tell."""
        for tier, parts in sorted(self.ids.items()):
            every = pa.chunked_array([chunk for part in parts for chunk in part.chunks], pa.string())
            counts = pc.value_counts(every)
            twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
            for clip_id in twice.to_pylist():
                self.findings.fail("ids", f"{tier}: {clip_id}: more than one row has this id")
            for clip_id in sorted(
                set(every.filter(pc.is_in(every, pa.array(self.removed, pa.string()))).to_pylist())
            ):
                self.findings.fail("removed", f"{tier}: {clip_id}: was taken down")
        self.findings.details |= {
            "ids": ", ".join(f"{tier} {sum(map(len, parts)):,}" for tier, parts in sorted(self.ids.items())),
            "removed": f"{len(self.removed):,} ids that were taken down",
            "licenses": ", ".join(sorted(self.licenses)[:5]) + (", ..." if len(self.licenses) > 5 else ""),
        }
        if self.apart is not None and self.tables:
            frame = pl.from_arrow(pa.concat_tables(self.tables))
            assert isinstance(frame, pl.DataFrame)
            check_apart(frame.lazy(), self.apart, self.findings)

    def _ids(self, file: ReleaseFile, ids: pa.ChunkedArray) -> None:
        names = ids.to_pylist()
        for one in names:
            if not is_safe_id(one):
                self.findings.fail("ids", f"{file.path}: {one!r} is not a safe id")
        for before, after in pairwise(names):
            if after <= before:
                self.findings.fail("ids", f"{file.path}: {after} stands after {before}")

    def _licenses(self, file: ReleaseFile, table: pa.Table) -> None:
        """Each license is one, and lets its clips be in this tier."""
        here = self.seconds.setdefault((file.tier, file.corpus, file.split), defaultdict(list))
        clips: dict[tuple[str, str], list[str]] = defaultdict(list)
        lengths: dict[str, list[float]] = defaultdict(list)
        names = ("clip_id", "corpus", "license", "duration")
        for clip_id, name, license, seconds in zip(*(table[one].to_pylist() for one in names), strict=True):
            lengths[license].append(seconds)
            clips[name, license].append(clip_id)
        for license, several in lengths.items():
            here[license].append((len(several), math.fsum(several)))
        for (name, license), which in sorted(clips.items()):
            self.licenses.add(license)
            if fault := self._fault(file.tier, name, license):
                more = f" and {len(which) - _LISTED:,} more" if len(which) > _LISTED else ""
                self.findings.fail("licenses", f"{file.path}: {', '.join(which[:_LISTED])}{more}: {fault}")

    def _fault(self, tier: str, name: str, license: str) -> str:
        if not is_license(license):
            return f"{license!r} is no SPDX expression"
        if name not in self.gate.corpora:
            return f"nothing is known of the corpus {name}"
        place = self.gate.place(name, license)
        if place.refused:
            return f"{license} may not be published: {place.rule}"
        return "" if tier in {"captions", place.audio} else f"{license} may not be in {tier}: {place.rule}"


def gate_of(names: Collection[str]) -> Gate:
    """The rules for these corpora, as this version of us has them; a corpus that it does not know is left out."""
    known = {}
    for name in names:
        try:
            known[name] = corpus(name)
        except CorpusError:
            continue
    return Gate(known, TIERS)
