"""Guard: of the captions that enrichment wrote, those that say what is there."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from captionstew.digest import digest
from captionstew.enrich.guard import UNLIKE, Rules, again, judge
from captionstew.enrich.items import GENERATED, item
from captionstew.enrich.lexicon import lexicon
from captionstew.enrich.matching import MADE, SCORED, Model, known_pairs, matched
from captionstew.enrich.ontology import facts_digest
from captionstew.enrich.repair import repair
from captionstew.enrich.residue import prompts_digest
from captionstew.enrich.thresholds import Thresholds
from captionstew.errors import RecipeError
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.stages.merge import KEY

_ROWS = 1 << 14  # captions judged at a time
_VERDICT = {**dict.fromkeys(["rank", "origin"], pl.UInt64()), "place": pl.UInt16(), "repaired": pl.String(),
            "why": pl.String(), "about": pl.String()}  # fmt: skip


@dataclass(frozen=True)
class Guard(TableStage, Rules):
    """Judge each caption of source `llm` against the originals and the events of its clip; drop it or keep it.

    The reasons are `captionstew.enrich.guard.REASONS`; the fields of `Rules` are thresholds here. `thresholds` is the
    file that tells certain from possible events, as in Events. With `repairs`, a leading "Caption:", wrapping quotes
    and the like are taken off first. A nullable column `finish` says why the model stopped; without it, it ended by
    itself. Captions of other sources and clips are never touched: a clip without a kept caption has its originals.
    Of captions of one clip that are alike the first stays.

    `similarity` is a model that compares texts with audio (a CLAP of transformers, or a contrastive export), by name or
    path; '' asks none. Captions that the rules keep are then scored, and those below `least_similarity` dropped as
    `unlike-audio`; at -1, the least a cosine can be, all stay. `enrich/similarity.parquet` has the scores, beside those
    of original captions with their own audio and with another clip's: `captionstew enrich similarity` shows from them
    what each threshold would cost.
    """

    version: ClassVar[int] = 2

    thresholds: str = ""
    repairs: bool = True
    similarity: str = ""
    similarity_revision: str = ""
    least_similarity: float = -1.0
    device: str = "auto"

    def __post_init__(self) -> None:
        if not -1 <= self.least_similarity <= 1:
            hint = "give -1 to 1, as captionstew enrich similarity shows"
            raise RecipeError(
                f"Guard.least_similarity is {self.least_similarity:g}, and no cosine", hint=hint
            )
        if self.least_similarity > -1 and not self.similarity:
            hint = "name a model: --set Guard.similarity=laion/clap-htsat-unfused"
            raise RecipeError("Guard.least_similarity needs a model that gives the scores", hint=hint)

    @property
    def model(self) -> Model:
        """What compares texts with audio."""
        return Model(self.similarity, self.similarity_revision, self.device)

    def identity(self) -> str:
        """As of any stage, but where it is computed does not count."""
        return super(Guard, replace(self, device="auto")).identity()

    def upstream(self, context: Context) -> str:
        """The words that the rules know, and what tells certain events from possible ones."""
        tiers = Thresholds.load(self.thresholds).identity()
        known = lexicon().digest, prompts_digest(), tiers, facts_digest()
        return digest(*known, *([self.model.identity()] if self.similarity else []))

    def leaves(self, context: Context) -> tuple[Path, ...]:
        """The scores, where a model gives them."""
        return (context.work.parent / "enrich" / "similarity.parquet",) if self.similarity else ()

    def __call__(self, tables: Tables, context: Context) -> Out:
        """One verdict per caption, some thousands at a time."""
        columns = tables.captions.collect_schema().names()
        generated = pl.col("source") == GENERATED
        rows = _rows(tables, generated)
        said: dict[int, list[str]] = {}  # of the clip at hand, its captions that stay
        parts = [
            self._judged(part, said) for part in rows.collect_batches(chunk_size=_ROWS, engine="streaming")
        ]
        verdicts = pl.concat([pl.DataFrame(schema=_VERDICT), *parts]).lazy()
        judged = tables.captions.join(verdicts, on=KEY, how="left")
        if self.similarity:
            judged = self._heard(judged, generated, tables.clips, context)
        text = pl.when(generated).then(pl.coalesce("repaired", "text")).otherwise("text")
        kept = judged.filter(~(generated & pl.col("why").is_not_null())).with_columns(text=text)
        bad = judged.filter(generated & pl.col("why").is_not_null())
        about = pl.concat_str("about", pl.lit(" | "), "text")
        named = bad.with_columns(clip_id=pl.lit(""), corpus="source")
        left = kept.select(name for name in columns if name != "finish")
        return Out(Tables(tables.clips, left), caption_drops=dropped(named, pl.col("why"), about))

    def _heard(
        self, judged: pl.LazyFrame, generated: pl.Expr, clips: pl.LazyFrame, context: Context
    ) -> pl.LazyFrame:
        """The captions with the model's verdict on what the rules keep; it leaves all scores."""
        if context.audio is None:
            raise RecipeError("Guard.similarity needs the audio", hint="--set Guard.similarity= does without")
        said = judged.with_columns(
            said=pl.when(generated).then(pl.coalesce("repaired", "text")).otherwise("text")
        )
        stays = generated & pl.col("why").is_null()
        mine = said.filter(stays).select("rank", text="said", kind=pl.lit(MADE))
        pairs = pl.concat([mine.unique(), known_pairs(judged.filter(~generated))])
        scores = matched(pairs, clips, context, self.model, self.name)
        (path,) = self.leaves(context)
        named = scores.join(clips.select("rank", "clip_id"), on="rank").select(*SCORED)
        with replacing_table(path) as temporary:
            named.sort("kind", "clip_id", "text").sink_parquet(temporary, compression="zstd")
        unscored = pl.scan_parquet(path).select(pl.col("score").null_count()).collect().item()
        assert unscored == 0, f"{unscored} captions have no score"
        low = scores.filter((pl.col("kind") == MADE) & (pl.col("score") < self.least_similarity))
        low = low.select("rank", said="text", low=pl.col("score").round(3).cast(pl.String))
        found = said.join(low, on=["rank", "said"], how="left")
        bad = stays & pl.col("low").is_not_null()
        why = pl.when(bad).then(pl.lit(UNLIKE)).otherwise("why")
        return found.with_columns(why=why, about=pl.when(bad).then("low").otherwise("about"))

    def _judged(self, part: pl.DataFrame, said: dict[int, list[str]]) -> pl.DataFrame:
        tiers = Thresholds.load(self.thresholds)
        found = [self._verdict(row, tiers, said) for row in part.iter_rows(named=True)]
        return pl.DataFrame(found, schema=_VERDICT, orient="row")

    def _verdict(
        self, row: Mapping[str, Any], tiers: Thresholds, said: dict[int, list[str]]
    ) -> tuple[Any, ...]:
        text = row["text"] or ""
        text = repair(text) if self.repairs else text
        verdict = judge(item(row, tiers), text, row["finish"] or "stop", self)
        if row["rank"] not in said:
            said.clear()
            said[row["rank"]] = []
        if verdict.kept:
            verdict = again(text, said[row["rank"]], self)
        if verdict.kept:
            said[row["rank"]].append(text)
        new = text if verdict.kept and text != row["text"] else None
        why, about = (None, None) if verdict.kept else (verdict.reason, verdict.detail)
        return *(row[name] for name in KEY), new, why, about


def _rows(tables: Tables, generated: pl.Expr) -> pl.LazyFrame:
    """Each generated caption with its clip's words: the originals, human ones first, events, tags, transcript."""
    machine = pl.col("style") != "human"
    originals = (
        tables.captions.filter(~generated)
        .sort("rank", machine, "origin", "place")
        .group_by("rank")
        .agg(originals=pl.col("text"))
    )
    clips = tables.clips.select("rank", "clip_id", "domain", "events", "tags", "transcript")
    mine = tables.captions.filter(generated)
    if "finish" not in tables.captions.collect_schema():
        mine = mine.with_columns(finish=pl.lit(None, dtype=pl.String))
    rows = mine.select(*KEY, "text", "finish").join(clips, on="rank", how="left")
    return rows.join(originals, on="rank", how="left").sort(KEY)
