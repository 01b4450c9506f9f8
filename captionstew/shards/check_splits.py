"""Does a split keep to itself: no recording or speaker on the training side that is on the other?"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from captionstew.shards.findings import Findings
from captionstew.shards.layout import audio_files, shard_files

_KEYS: Mapping[str, pl.Expr] = {
    "recording": pl.col("source_id"),
    "speaker": pl.when(pl.col("speaker").str.contains("^[a-z][a-z0-9-]*:"))
    .then(pl.col("speaker"))
    .otherwise(pl.format("{}:{}", "corpus", "speaker")),
}  # artists are not in the shards


def check_splits(folder: Path, apart: Mapping[str, Sequence[str]], findings: Findings) -> None:
    """No training clip shares a `recording` or `speaker` with a clip of the splits that `apart` names for it."""
    shards = shard_files(folder, "captions") or audio_files(folder)
    if not shards or not any(apart.values()):
        findings.details["splits"] = "nothing to keep apart"
        return
    check_apart(pl.scan_parquet(shards), apart, findings)


def check_apart(rows: pl.LazyFrame, apart: Mapping[str, Sequence[str]], findings: Findings) -> None:
    """The same of rows with clip_id, corpus, split, source_id and speaker, wherever they were read."""
    told = []
    try:
        for kind, splits in apart.items():
            there = (
                rows.filter(pl.col("split").is_in(list(splits))).select(key=_KEYS[kind]).drop_nulls().unique()
            )
            train = rows.filter(pl.col("split") == "train").select("clip_id", key=_KEYS[kind])
            for clip_id, key in (
                train.join(there, on="key", how="semi").collect(engine="streaming").iter_rows()
            ):
                findings.fail("splits", f"{clip_id}: its {kind} {key} is in {' or '.join(splits)} too")
            told.append(f"{kind}s of {' and '.join(splits)}" if splits else "")
    except pl.exceptions.PolarsError as error:  # the shard itself is reported where its rows are read
        findings.fail("splits", f"the splits cannot be compared: {error}")
    findings.details["splits"] = ", ".join(filter(None, told))
