"""The rows of a release to look at, a few at a time: a folder or a URL, with its audio or captions alone."""

import difflib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import polars as pl
import pyarrow as pa

from captionstew.shards.columns import reading
from captionstew.shards.layout import AUDIO_TIERS
from captionstew.shards.manifest import Manifest, read_manifest
from captionstew.shards.read import Groups
from captionstew.shards.release import ReleaseFile
from captionstew.shards.remote import Remote, RemoteFile, url_of

Place = Path | RemoteFile

_MOST_OPEN = 64  # files


class Rows:
    """Rows in the order of files and of rows in them; of a remote file no more is read than what is asked for."""

    def __init__(self, files: Iterable[tuple[ReleaseFile, Place]]) -> None:
        self._files = sorted(files, key=lambda pair: pair[0].path)
        self._starts = list(accumulate((file.rows for file, _ in self._files), initial=0))
        self._open: dict[int, Groups] = {}

    def __len__(self) -> int:
        return self._starts[-1]

    def row(self, index: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One row, with all columns or those named."""
        number = bisect_right(self._starts, range(len(self))[index]) - 1
        return self._groups(number).row(index - self._starts[number], columns)

    def find(self, clip_id: str) -> int | None:
        """The number of the row with this id; None if there is none."""
        for number in self._around(clip_id):
            if (row := self._groups(number).find(clip_id)) is not None:
                return self._starts[number] + row
        return None

    def near(self, clip_id: str, most: int = 3) -> list[str]:
        """Ids that hold this text or look like it, the most alike first.

        Files on this disk are searched for the text, in a stream. Elsewhere only the row groups are read in which the
        id would stand.
        """
        text = clip_id.partition(":")[2] or clip_id
        if found := list(self._holding(text.split("@")[0], most)):
            return found
        schemes = {self._first(number).partition(":")[0] for number, *_ in self._series()}
        asked = [clip_id] if ":" in clip_id else [f"{scheme}:{clip_id}" for scheme in sorted(schemes)]
        ids = {one for like in asked for number in self._around(like) for one in self._ids(number, like)}
        close = (difflib.get_close_matches(like, sorted(ids), most) for like in asked)
        return list(dict.fromkeys(one for several in close for one in several))[:most]

    def _holding(self, text: str, most: int) -> Iterator[str]:
        paths = [place for _, place in self._files if isinstance(place, Path)]
        if not paths or not text:
            return
        ids = pl.scan_parquet(paths).select("clip_id")
        held = ids.filter(pl.col("clip_id").str.contains(text, literal=True)).head(most)
        yield from held.collect(engine="streaming")["clip_id"]

    def _around(self, clip_id: str) -> list[int]:
        """The file of each corpus and split in which this id would stand: its files follow each other by id."""
        found = []
        for numbers in self._series():
            at = bisect_left(numbers, clip_id, key=self._last)
            found.append(numbers[min(at, len(numbers) - 1)])
        return found

    def _series(self) -> list[list[int]]:
        """The numbers of the files of each tier, corpus and split."""
        series: dict[tuple[str, str, str], list[int]] = {}
        for number, (file, _) in enumerate(self._files):
            series.setdefault((file.tier, file.corpus, file.split), []).append(number)
        return list(series.values())

    def _first(self, number: int) -> str:
        return self._bounds(number, 0)[0]

    def _last(self, number: int) -> str:
        return self._bounds(number, -1)[1]

    def _bounds(self, number: int, group: int) -> tuple[str, str]:
        """The first and the last id of a row group; they are in the footer, else they are read."""
        groups = self._groups(number)
        group = range(groups.file.num_row_groups)[group]
        bounds = groups.file.metadata.row_group(group).column(0).statistics
        if bounds is not None and bounds.has_min_max:
            return bounds.min, bounds.max
        ids = self._group(number, group)
        return ids[0], ids[-1]

    def _ids(self, number: int, clip_id: str) -> list[str]:
        """The ids of the row group in which this id would stand."""
        last = range(self._groups(number).file.num_row_groups)
        group = bisect_left(last, clip_id, key=lambda group: self._bounds(number, group)[1])
        return self._group(number, min(group, len(last) - 1))

    def _group(self, number: int, group: int) -> list[str]:
        groups = self._groups(number)
        with reading(groups.path):
            ids: list[str] = groups.file.read_row_group(group, columns=["clip_id"])["clip_id"].to_pylist()
        return ids

    def _groups(self, number: int) -> Groups:
        if number not in self._open:
            while len(self._open) >= _MOST_OPEN:
                del self._open[next(iter(self._open))]
            self._open[number] = Groups(self._files[number][1])
        return self._open[number]


@dataclass(frozen=True)
class Opened:
    """A release: its manifest, its clips with audio (all tiers that have it), and its clips of the captions tier."""

    manifest: Manifest
    audio: Rows
    captions: Rows

    @property
    def shown(self) -> Rows:
        """The clips with their audio if there are any, else those of the captions tier."""
        return self.audio if len(self.audio) else self.captions


def open_rows(folder: str | Path) -> Opened:
    """The rows of a finished release in a folder or behind a URL; StewError if it has no manifest."""
    url = url_of(folder)
    remote = Remote(url) if url else None
    manifest = remote.manifest if remote else read_manifest(Path(folder))

    def rows(tiers: Sequence[str]) -> Rows:
        files = (file for file in manifest.files if file.tier in tiers)
        return Rows(
            (file, RemoteFile(remote, file.path) if remote else Path(folder) / file.path) for file in files
        )

    return Opened(manifest, rows(AUDIO_TIERS), rows(("captions",)))
