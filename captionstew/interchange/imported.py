"""Manifests of Lhotse cuts as a corpus that a build takes: a table of rows, and the facts about it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from captionstew.corpora.facts import SPLITS, Captions, Columns, Corpus, File, Id, Labels, Reading, corpus
from captionstew.digest import file_sha256
from captionstew.errors import CorpusError
from captionstew.interchange.cut_table import Seen, write_cuts
from captionstew.interchange.cuts import Defaults
from captionstew.interchange.places import Places, places
from captionstew.shards.atomic import disk_errors, settle

TABLE = "cuts.parquet"


@dataclass(frozen=True)
class Imported:
    """A corpus whose facts and places a build takes, and what its manifests held."""

    corpus: Corpus
    places: tuple[Path, ...]
    seen: Seen


def imported(
    manifests: Sequence[Path],
    folder: Path,
    *,
    license: str = "",
    audio_root: Path | None = None,
    split: str = "train",
    style: str = "human",
) -> Imported:
    """`folder` holds the cuts of all manifests as one table, in their order; the same cuts leave the file as it is.

    A cut that cannot be used is a row that says why, which the build drops and counts. CorpusError if a manifest
    cannot be read, none of its cuts can be used, or cuts say no license and there is no `license` for those.
    """
    base = corpus("folder")
    names = {**{name: name for name in SPLITS}, **base.splits.names}
    seen = Seen()
    with disk_errors(folder / TABLE):
        folder.mkdir(parents=True, exist_ok=True)
    with _passing(folder / ".rows.part") as rows:
        write_cuts(manifests, Defaults(names, split, style), audio_root, rows, seen)
        _check(seen, manifests, license)
        table = _once(pl.scan_parquet(rows, row_index_name="row"), seen)
        found = places(table.filter(pl.col("refused").is_null()), folder, audio_root)
        _save(table, found, len(seen.writers), folder / TABLE)
    return Imported(_facts(base, license, seen), (folder, *found.folders), seen)


def _check(seen: Seen, manifests: Sequence[Path], license: str) -> None:
    where = ", ".join(map(str, manifests))
    kept = seen.cuts - seen.refused.total()
    if not kept:
        cause = ", ".join(f"{reason} {number:,}" for reason, number in seen.refused.most_common())
        hint = "give a manifest of cuts, such as lhotse cut simple makes of recordings and supervisions"
        raise CorpusError("no cut can be used", cause=cause or "there is none", where=where, hint=hint)
    if seen.unlicensed and not license:
        cause = f"{seen.unlicensed:,} of {kept:,} cuts have no license in `custom`"
        hint = "say under which the audio is: --license CC-BY-4.0, or --license LicenseRef-unknown"
        raise CorpusError("nobody knows the license", cause=cause, where=seen.first_unlicensed, hint=hint)


def _once(rows: pl.LazyFrame, seen: Seen) -> pl.LazyFrame:
    """The rows, those refused whose id another cut has taken that is another sound."""
    sound = pl.struct("path", "start", "end", "channel").hash()
    usable = rows.filter(pl.col("refused").is_null())
    twice = usable.group_by("id").agg(sound.n_unique().alias("sounds")).filter(pl.col("sounds") > 1)
    ids = twice.select("id").collect(engine="streaming")
    if not len(ids):
        return rows
    shared = usable.join(ids.lazy(), on="id", how="semi").collect(engine="streaming")
    firsts = shared.unique("id", keep="first", maintain_order=True).select("id", first=sound)
    others = shared.join(firsts, on="id").filter(sound != pl.col("first")).select("row", other=pl.lit(True))
    seen.refused["id-twice"] = len(others)
    told = pl.format("id-twice: {}: another cut is called {}", "place", "id")
    marked = rows.join(others.lazy(), on="row", how="left", maintain_order="left")
    return marked.with_columns(refused=pl.when("other").then(told).otherwise("refused")).drop("other")


def _save(table: pl.LazyFrame, found: Places, num_writers: int, path: Path) -> None:
    """The table is in `path`; a file of the same content stays as it is, because a build goes by its time."""
    element = pl.element()
    texts = {
        f"captions {number}": pl.col("captions").list.eval(
            element.filter(element.struct.field("writer") == number).struct.field("text")
        )
        for number in range(num_writers)
    }
    named = table.with_columns(file=found.file, **texts).drop("captions", "above", "path", "place", "row")
    with _passing(path.with_name(".table.part")) as temporary:
        named.sink_parquet(temporary, row_group_size=50_000)
        if not path.is_file() or file_sha256(path) != file_sha256(temporary):
            settle(temporary, path)


@contextmanager
def _passing(path: Path) -> Iterator[Path]:
    """A file that is gone when the block ends."""
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _facts(base: Corpus, license: str, seen: Seen) -> Corpus:
    """What a build has to know about the table."""
    writers = sorted(enumerate(seen.writers), key=lambda one: (one[1][0] != "human", one[0]))
    plain = (
        "file",
        "split",
        "domain",
        "transcript",
        "speaker",
        "channel",
        "refused",
        "attribution",
        "source_url",
    )
    return replace(
        base,
        files=(File(path=(TABLE,), read=Reading(reader="parquet")),),
        id=Id("key", ("id",)),
        source=Id("key", ("source", "start", "end")),
        license=replace(base.license, default=license or base.license.default),
        columns=Columns(**{name: name for name in plain}),
        captions=tuple(
            Captions((f"captions {number}",), style, model=model, language=language)  # type: ignore[arg-type]
            for number, (style, model, language) in writers
        ),
        tags=(Labels("tags", "list"),),
        events=(Labels("events", "list"),),
    )
