"""Enrich: more captions, by a language model, from the captions and events of each clip."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.digest import digest
from captionstew.enrich.attempts import FAILED, Attempts, Judging, Traffic
from captionstew.enrich.engine import Engine
from captionstew.enrich.guard import Rules
from captionstew.enrich.items import GENERATED, items, portions
from captionstew.enrich.lexicon import lexicon
from captionstew.enrich.open import Served
from captionstew.enrich.provenance import CAPTION, PROVENANCE, captions, provenance
from captionstew.enrich.residue import prompts_digest
from captionstew.enrich.statistics import Counting
from captionstew.enrich.store import Store
from captionstew.enrich.thresholds import Thresholds
from captionstew.enrich.want import Asking, weighed
from captionstew.enrich.weights import revision_here
from captionstew.errors import RecipeError
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.memory import seldom_collected
from captionstew.pipeline.progress import Event
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.shards.manifest import Tally
from captionstew.stages.events import heard_by

PORTION = 1 << 15  # clips at a time: some 100 MB, and an hour of one GPU
_ROWS = 1 << 12  # captions that become rows at a time
_EVERY = 1.0  # s between two words about how far it is


@dataclass(frozen=True)
class Enrich(TableStage):
    """Add captions (`source` llm) that a language model writes; those of the publishers stay first and untouched.

    Without an `endpoint` nothing happens. It is `http://...` (any OpenAI-compatible server; several with commas),
    `@FILE` (what `captionstew enrich serve` wrote) or `vllm` (in process). Each clip gets `captions`, by prompts drawn
    by weight (`name` or `name=weight`) from those that fit it; `share` is that of clips that get any. Only training
    clips are asked about. An answer that `rules` reject is asked for again with another seed, `retries` times; the
    last one goes to Guard, which drops it with its reason. Caption drops: `failed` (the model gave nothing).

    Answers lie in `store` (by default in the build), by what was asked: a run asks only for what is not there, and a
    changed prompt asks for its own captions again. Identical prompts are sent once, unless clips have `own_seeds`.
    `enrich/provenance.parquet` of the build says what each caption was made of.
    """

    version: ClassVar[int] = 3

    endpoint: str = ""
    model: str = "lmsys/vicuna-7b-v1.5"
    revision: str = ""
    prompts: tuple[str, ...] = ("flap", "label_only", "speech_style", "music")
    captions: int = 1
    share: float = 1.0
    run_seed: int = 0
    own_seeds: bool = False
    retries: int = 1
    tries: int = 3  # of an ask that fails in passing, over all runs
    rules: Rules = field(default_factory=Rules)  # those of the recipe's Guard
    repairs: bool = True
    thresholds: str = ""
    detector: str = ""  # who heard the events, for provenance; Events leaves the revision
    store: str = ""
    concurrency: int = 128  # asks under way per server
    python: str = ""  # vLLM's interpreter, for `vllm`
    gpus: int = 0
    context: int = 0  # tokens; 0: the model's own
    price: float = 0.0  # of an hour of one GPU, for `captionstew plan`

    def __post_init__(self) -> None:
        if self.captions < 1 or not 0 <= self.share <= 1 or self.retries < 0 or self.tries < 1:
            hint = "captions and tries are 1 or more, retries 0 or more, share 0 to 1"
            raise RecipeError("Enrich has a field that makes no sense", hint=hint)

    @property
    def served(self) -> Served:
        """Who is asked."""
        where = (self.endpoint, self.model, self.weights)
        return Served(*where, self.concurrency, self.python, self.gpus, self.context)

    def engine(self) -> Engine:
        """The engine that answers."""
        return self.served.engine()

    def identity(self) -> str:
        """As of any stage, but where answers come from and lie does not count; whether any come does."""
        same = replace(
            self, endpoint="on" if self.endpoint else "", store="", concurrency=128, python="", gpus=0, context=0,
            tries=3, price=0.0,
        )  # fmt: skip
        return super(Enrich, same).identity()

    @cached_property
    def weights(self) -> str:
        """The revision; of a model in a folder here, where none is given, that of its files: changed ones ask again."""
        return revision_here(self.model, self.revision)

    @cached_property
    def asking(self) -> Asking:
        """What decides the asks."""
        return Asking(weighed(self.prompts), self.model, self.weights, self.detector, self.run_seed, self.captions,
                      self.share, self.own_seeds)  # fmt: skip

    def upstream(self, context: Context) -> str:
        """The weights, the prompts, what the rules know, and how many failed asks are worth another try."""
        if not self.endpoint:
            return ""
        hashes = [one.prompt.hash for one in self.asking.prompts]
        failed = Store(self.folder(context)).wanting(self.tries)
        known = lexicon().digest, prompts_digest(), Thresholds.load(self.thresholds).identity()
        return digest(self.weights, hashes, *known, failed)

    def folder(self, context: Context) -> Path:
        """Where the answers lie."""
        return Path(self.store).expanduser() if self.store else context.work / "enrich" / "answers"

    def leaves(self, context: Context) -> tuple[Path, ...]:
        """The provenance of every caption that was asked for."""
        return (context.work.parent / "enrich" / "provenance.parquet",) if self.endpoint else ()

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Portion by portion: items, asks, answers, verdicts, rows."""
        if not self.endpoint:
            return Out(tables)
        (path,), words = self.leaves(context), context.work / "enrich" / "captions.parquet"
        counting = Counting(self.asking)
        with ExitStack() as stack:
            stack.enter_context(seldom_collected())
            told = _table(stack, path, PROVENANCE)
            made = _table(stack, words, CAPTION)
            for rows, new in self._made(tables, context, counting, stack):
                told.write_table(rows.to_arrow().cast(told.schema))
                made.write_table(new.to_arrow().cast(made.schema))
        return _out(tables, pl.scan_parquet(words), Tally(enrichment=counting.result(path)))

    def _made(
        self, tables: Tables, context: Context, counting: Counting, stack: ExitStack
    ) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Provenance and captions of each portion."""
        split = tables.clips.filter(pl.col("split") == "train").select(pl.len()).collect().item()
        progress = Progress(self.name, split, context, counting)
        opened: list[Engine] = []

        def engine() -> Engine:
            if not opened:
                opened.append(stack.enter_context(self.engine()))
            return opened[0]

        store = stack.enter_context(Store(self.folder(context)))
        judging = Judging(self.rules, self.repairs)
        told = progress.traffic, progress.answered
        attempts = Attempts(engine, store, judging, self.retries, self.tries, *told)
        thresholds, asking = Thresholds.load(self.thresholds), self._told(context)
        for portion in portions(tables, PORTION):
            found = list(items(portion, thresholds))
            counting.clips(found)
            wants = [(place, want) for place, item in enumerate(found) for want in self.asking.wants(item)]
            made = attempts([want for _, want in wants])
            counting.add(made)
            progress.clips(len(portion))
            clips = portion.select("rank", "corpus", "events")[[place for place, _ in wants]]
            for first in range(0, max(1, len(made)), _ROWS):
                part, of = made[first : first + _ROWS], clips[first : first + _ROWS]
                yield provenance(part, asking, of), captions(part, of["rank"], self.asking)

    def _told(self, context: Context) -> Asking:
        """What decides the asks, with the detector's revision where Events has left it."""
        file = heard_by(context)
        heard = file.read_text(encoding="utf-8") if file.is_file() else ""
        return replace(self.asking, detector=heard or self.detector)


class Progress:
    """Says about once a second how far it is: answers, what was there, what is waited for, and until when."""

    def __init__(
        self,
        name: str,
        total: int,
        context: Context,
        counting: Counting,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.traffic = Traffic()
        self._name, self._total, self._watch, self._counting = name, total, context.watch, counting
        self._clips, self._clock = 0, clock
        self._began = self._said = clock()

    def answered(self) -> None:
        """One answer has come."""
        if self.traffic.answered % 64 == 0 and self._clock() - self._said > _EVERY:
            self._say()

    def clips(self, count: int) -> None:
        """So many clips are over."""
        self._clips += count
        self._say()

    def _say(self) -> None:
        self._said = self._clock()
        # The last piece is the table's, which is written when all clips are over.
        self._watch(Event(self._name, self._clips, self._total + 1, clips=self._clips, note=self._note(),
                          drops=self._counting.rejected()))  # fmt: skip

    def _note(self) -> str:
        now, one = max(self._said - self._began, 1e-9), self.traffic
        parts = [f"{one.answered:,} answers", f"{one.completion_tokens / now:,.0f} tokens/s"]
        if one.known:
            parts.append(f"{100 * one.known / (one.known + one.sent):.0f} % were there")
        if one.waiting:
            parts.append(f"{one.waiting:,} waited for")
        if 0 < self._clips < self._total:
            parts.append(f"{now * (self._total - self._clips) / self._clips / 60:,.0f} min left")
        return ", ".join(parts)


def _table(stack: ExitStack, path: Path, schema: dict[str, pl.DataType]) -> pq.ParquetWriter:
    """A table that is written in portions and appears when the stack unwinds without a fault."""
    temporary = stack.enter_context(replacing_table(path))
    kinds: pa.Schema = pl.DataFrame(schema=schema).to_arrow().schema
    return stack.enter_context(pq.ParquetWriter(temporary, kinds, compression="zstd"))


def _out(tables: Tables, new: pl.LazyFrame, tally: Tally) -> Out:
    """The captions that were and those that came; what was asked for and did not come is received and dropped."""
    columns = tables.captions.collect_schema()
    finish = pl.lit(None, dtype=pl.String).alias("finish")
    old = tables.captions.with_columns(finish)
    order = [*columns.names(), "finish"]
    came = new.filter(pl.col("text").is_not_null()).select(order).cast(columns)
    every = new.select(order).cast(columns)
    failed = new.filter(pl.col("text").is_null()).with_columns(clip_id=pl.lit(""), corpus=pl.lit(GENERATED))
    received = Tables(tables.clips, pl.concat([old, every]))
    left = Tables(tables.clips, pl.concat([old, came]))
    return Out(left, received=received, caption_drops=dropped(failed, FAILED, pl.col("error")), tally=tally)
