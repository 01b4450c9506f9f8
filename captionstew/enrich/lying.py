"""Where the encoded audio of clips lies while a build is under way: in its units, or in the sources themselves."""

import polars as pl

from captionstew.enrich.listen import key
from captionstew.pipeline.stage import Context


def keyed(context: Context) -> pl.LazyFrame:
    """The encoded audio of all clips, with the `key` of what is known about it."""
    assert context.audio is not None, "the audio stages come first"
    return context.audio.with_columns(key=key())


def lying(clips: pl.LazyFrame, context: Context) -> pl.LazyFrame:
    """The clips' audio by `key`: the `file` that holds it, where it `begin`s there, its `length` and the rest."""
    where = clips.select("rank", "clip_id", "corpus", pl.col("root").cast(pl.Int64), "path", begins="offset")
    rows = keyed(context).join(where, on="clip_id")
    found = rows.join(_roots(context), on=["corpus", "root"], how="left")
    passes = pl.col("offset").is_null()
    source = pl.concat_str("folder", "path", separator="/")
    own = pl.concat_str(pl.lit(f"{context.work / 'audio'}/"), "unit", pl.lit(".bin"))
    begin = pl.coalesce("offset", pl.col("begins").clip(lower_bound=0))
    return found.with_columns(file=pl.when(passes).then(source).otherwise(own), begin=begin)


def _roots(context: Context) -> pl.LazyFrame:
    """The folders of each corpus by their place."""
    rows = [
        (name, place, str(folder))
        for name, several in context.places.items()
        for place, folder in enumerate(several)
    ]
    schema = {"corpus": pl.String, "root": pl.Int64, "folder": pl.String}
    return pl.LazyFrame(rows, schema=schema, orient="row")
