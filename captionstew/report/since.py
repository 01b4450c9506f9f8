"""What changed since an earlier build or release: clip by clip, by ids and hashes."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from captionstew.publish.facts import Change, changes
from captionstew.report.rows import Rows, parts, rows
from captionstew.report.source import Source

_COLUMNS = ("clip_id", "captions", "audio_sha256")


@dataclass(frozen=True)
class Moves:
    """Clips of one corpus."""

    added: int = 0
    removed: int = 0
    captions: int = 0  # whose captions changed
    audio: int = 0  # whose samples changed
    same: int = 0


@dataclass(frozen=True)
class Since:
    """Two versions: what each corpus holds, what became of its clips, and all rows of the earlier one."""

    before: Source
    rows: Rows
    changes: tuple[Change, ...]
    clips: Mapping[str, Moves]


def since(before: Source, after: Source) -> Since:
    """Compared by ids, hashes of captions and hashes of samples; some 50 bytes of memory a clip."""
    return Since(before, rows(before), changes(before.manifest, after.manifest), _moves(before, after))


def _moves(before: Source, after: Source) -> dict[str, Moves]:
    old, new = _hashes(before), _hashes(after)
    both = old.join(new, on="id", how="full", suffix="_new")
    there, here = pl.col("id").is_not_null(), pl.col("id_new").is_not_null()
    captions, audio = pl.col("captions") != pl.col("captions_new"), pl.col("audio") != pl.col("audio_new")
    counts = both.group_by(pl.coalesce("corpus_new", "corpus").alias("name")).agg(
        (~there).sum(),
        (~here).sum().alias("removed"),
        (there & here & captions).sum().alias("captions"),
        (there & here & audio).sum().alias("audio"),
        (there & here & ~captions & ~audio).sum().alias("same"),
    )
    return {name: Moves(*numbers) for name, *numbers in counts.sort("name").iter_rows()}


def _hashes(source: Source) -> pl.DataFrame:
    """One row a clip: hashes of its id, of its captions in their order, of its samples; and its corpus."""
    found = [
        pl.DataFrame(schema={"id": pl.UInt64, "captions": pl.UInt64, "audio": pl.UInt64, "corpus": pl.String})
    ]
    texts = pl.col("captions").list.eval(pl.element().struct.field("text")).list.join("\n")
    for file, _ in source.files():
        for part in parts(source, file, _COLUMNS):
            hashed = part.select(
                pl.col("clip_id").hash().alias("id"),
                texts.hash().alias("captions"),
                pl.col("audio_sha256").hash().alias("audio"),
            )
            found.append(hashed.with_columns(corpus=pl.lit(file.corpus)))
    return pl.concat(found).unique("id", keep="first", maintain_order=True)
