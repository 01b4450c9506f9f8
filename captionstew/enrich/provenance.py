"""Provenance: of every caption that a model wrote, what it was made of, by what, how, and what was thought of it."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from captionstew import __version__
from captionstew.enrich.attempts import Made
from captionstew.enrich.generators import license_of
from captionstew.enrich.guard import KEPT
from captionstew.enrich.items import GENERATED
from captionstew.enrich.prompt import Prompt
from captionstew.enrich.want import Asking, key_of

_SCORED = pl.List(pl.Struct({"label": pl.String, "score": pl.Float32}))
PROVENANCE: dict[str, pl.DataType] = {
    "key": pl.String(),  # of all that it was made of: see Asking.key
    "clip_id": pl.String(),
    "corpus": pl.String(),
    "split": pl.String(),
    "text": pl.String(),  # as it came to the guard; null where the model gave none
    "style": pl.String(),
    "model": pl.String(),
    "revision": pl.String(),
    "license": pl.String(),  # of what the model writes, as pipelines/models.toml has it
    "prompt": pl.String(),  # name@hash
    "prompt_version": pl.Int32(),
    "sampling": pl.String(),  # JSON
    "seed": pl.Int64(),
    "attempt": pl.Int16(),  # counted from 0
    "rejected": pl.List(pl.String()),  # the verdicts on the attempts before
    "parents": pl.List(pl.String()),  # hashes of the original captions, in their order: see `caption_hash`
    "events": _SCORED,  # the labels with their scores; which of them were said to be there, or to be possible:
    "certain": pl.List(pl.String()),
    "possible": pl.List(pl.String()),
    "tags": pl.List(pl.String()),
    "detector": pl.String(),
    "finish": pl.String(),  # stop, length or error
    "error": pl.String(),
    "prompt_tokens": pl.Int32(),
    "completion_tokens": pl.Int32(),
    "verdict": pl.String(),  # kept, or the reason of the guard's rules
    "detail": pl.String(),
    "made_with": pl.String(),
}
# What differs from want to want, in the order of `_row`; the rest is the clip's, the prompt's or the run's.
_OWN = ("key", "clip_id", "text", "seed", "attempt", "rejected", "parents", "certain", "possible", "tags", "finish",
        "error", "prompt_tokens", "completion_tokens", "verdict", "detail")  # fmt: skip
CAPTION: dict[str, pl.DataType] = {
    "rank": pl.UInt64(),
    "origin": pl.UInt64(),
    "place": pl.UInt16(),
    "text": pl.String(),
    "source": pl.String(),
    "style": pl.String(),
    "model": pl.String(),
    "prompt": pl.String(),
    "language": pl.String(),
    "finish": pl.String(),
    "error": pl.String(),
}
# Above every annotation row, so that generated captions stand after all others of their clip.
ORIGIN = 1 << 63


def caption_hash(text: str) -> str:
    """What provenance calls an original caption."""
    return key_of(text)[:16]


def provenance(made: Sequence[Made], asking: Asking, clips: pl.DataFrame) -> pl.DataFrame:
    """A row for each want (columns `PROVENANCE`), in their order; `clips` has the corpus and events of each."""
    assert len(made) == len(clips), (len(made), len(clips))
    schema = {name: PROVENANCE[name] for name in _OWN} | {"place": pl.UInt16()}
    own = _frame([_row(one, asking) for one in made], schema)
    rows = pl.concat([own, clips.select("corpus", "events")], how="horizontal")
    rows = rows.join(_by_prompt(asking), on="place", how="left", maintain_order="left")
    whole = {"split": "train", "model": asking.writer, "revision": asking.revision, "detector": asking.detector,
             "license": license_of(asking.writer).license, "made_with": f"captionstew {__version__}"}  # fmt: skip
    rows = rows.with_columns(**{name: pl.lit(text, pl.String) for name, text in whole.items()})
    return rows.select(pl.col(name).cast(kind) for name, kind in PROVENANCE.items())


def kept(provenance: Path) -> pl.LazyFrame:
    """Of a build's provenance the captions that are in its shards, by clip, in the order of their prompts' names.

    It is whole by itself: `clip_id` joins it to any release that has the clip, whose audio need not be sent again.
    """
    rows = pl.scan_parquet(provenance).filter(pl.col("verdict") == KEPT)
    return rows.drop("verdict", "detail", "finish", "error").sort("clip_id", "prompt")


def captions(made: Sequence[Made], ranks: Iterable[int], asking: Asking) -> pl.DataFrame:
    """The captions for the tables (columns `CAPTION`); `ranks` are those of the clips. Failed ones have no text."""
    model = f"{asking.writer}@{asking.revision}" if asking.revision else asking.writer
    rows = [
        (rank, ORIGIN, one.want.one.place, None if one.failed else one.text, GENERATED, "machine", model,
         one.want.one.prompt.label, one.want.one.prompt.language, one.answer.finish, one.answer.error)
        for rank, one in zip(ranks, made, strict=True)
    ]  # fmt: skip
    return _frame(rows, CAPTION)


def _by_prompt(asking: Asking) -> pl.DataFrame:
    """What is the same for all captions of a prompt."""
    rows = [
        (one.place, one.prompt.style, one.prompt.label, one.prompt.version, _sampling(one.prompt))
        for one in asking.prompts
    ]
    named = ("style", "prompt", "prompt_version", "sampling")
    kinds: dict[str, pl.DataType] = {"place": pl.UInt16(), **{name: PROVENANCE[name] for name in named}}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _row(one: Made, asking: Asking) -> tuple[Any, ...]:
    want, answer, item, verdict = one.want, one.answer, one.want.item, one.verdict
    return (
        asking.key(want, one.attempt), item.clip_id, None if one.failed else one.text, want.seed(one.attempt),
        one.attempt, one.rejected, [caption_hash(text) for text in item.captions], item.certain, item.possible,
        item.tags, answer.finish, answer.error, answer.prompt_tokens, answer.completion_tokens, verdict.reason,
        verdict.detail, want.one.place,
    )  # fmt: skip


def _frame(rows: Sequence[tuple[Any, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """Rows as a table; by way of Arrow, which takes lists in lists five times as fast."""
    empty = pl.DataFrame(schema=schema)
    if not rows:
        return empty
    kinds: pa.Schema = empty.to_arrow().schema
    columns = [
        pa.array(values, field.type) for values, field in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    return empty.vstack(pl.DataFrame(pa.Table.from_arrays(columns, schema=kinds)))


def _sampling(prompt: Prompt) -> str:
    return json.dumps(asdict(prompt.sampling), sort_keys=True)
