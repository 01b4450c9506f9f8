"""Events: which sounds are in each clip, by a detector and by the labels of the corpora."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import polars as pl
import pyarrow.parquet as pq

from captionstew.corpora.strict import nearest
from captionstew.digest import digest
from captionstew.enrich.detector import AST, Detector
from captionstew.enrich.listen import PLAN, Listening, listen, pieces
from captionstew.enrich.lying import keyed, lying
from captionstew.enrich.naming import NAMED, Naming
from captionstew.enrich.ontology import facts_digest
from captionstew.enrich.scores import SCHEMA, Store
from captionstew.enrich.thresholds import Thresholds
from captionstew.errors import RecipeError
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.progress import Event
from captionstew.pipeline.stage import Context, Out, Tables, TableStage
from captionstew.shards.atomic import write_bytes

_ROWS = 1 << 14  # clips named at a time


@dataclass(frozen=True)
class Events(TableStage):
    """`events` of each clip: labels of AudioSet's ontology with scores, the best `top`, without what others imply.

    `model` is an audio-classification model of transformers or a Zipformer tagger, by name or path; '' asks none and
    needs neither torch nor audio. `corpus_labels` of the publishers (score 1) `join` the detector's, or stand for them
    where there are any (`instead`: such clips are not judged), or are left out (`ignore`). `thresholds` is a file of
    calibrated ones. Names of places ("Inside, small room") are no sounds: `scene` drops them or moves them to `tags`.
    `timeline` adds a column of that name, {label, onset in s} in order of time; shards do not hold it.

    Comes after Clean, so that no clip is judged that is dropped for its captions. `cache` is a folder of scores that
    several builds share; a kill costs the `piece_seconds` of audio at hand. Nothing is dropped.
    """

    model: str = AST
    revision: str = ""
    corpus_labels: Literal["join", "instead", "ignore"] = "join"
    thresholds: str = ""
    top: int = 10
    pooling: Literal["max", "mean"] = "max"
    timeline: bool = False
    scene: Literal["drop", "tags"] = "drop"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    batch_size: int = 0
    cache: str = ""
    piece_seconds: float = 1800.0

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise RecipeError(f"Events has no {name} {value!r}", hint=nearest(str(value), get_args(hint)))
        if not self.model and self.corpus_labels == "ignore":
            hint = "name a model, or set corpus_labels to 'join'"
            raise RecipeError("Events has neither a detector nor the corpora's labels", hint=hint)
        if self.top < 1 or self.piece_seconds <= 0:
            raise RecipeError("Events needs top of 1 or more, and piece_seconds above 0")

    @property
    def detector(self) -> Detector:
        """What is asked."""
        return Detector(
            self.model,
            self.revision,
            self.pooling,
            self.timeline,
            self.precision,
            self.device,
            self.batch_size,
        )

    def identity(self) -> str:
        """As of any stage, but where and in which portions it is computed does not count."""
        same = replace(self, device="auto", batch_size=0, cache="", piece_seconds=1800.0)
        return super(Events, same).identity()

    def upstream(self, context: Context) -> str:
        """The model's weights, the thresholds, and the facts of the ontology."""
        heard = self.detector.identity() if self.model else ""
        return digest(heard, Thresholds.load(self.thresholds).identity(), facts_digest())

    def leaves(self, context: Context) -> tuple[Path, ...]:
        """Who heard the events: model and revision, for provenance."""
        return (heard_by(context),)

    def __call__(self, tables: Tables, context: Context) -> Out:
        """Judge what is not in the store yet, then name each clip's events."""
        naming = Naming(Thresholds.load(self.thresholds), self.corpus_labels, self.top)
        columns = ["rank", "corpus", "events"]
        named = context.work / "events" / "named.parquet"
        write_bytes(heard_by(context), (self.detector.label if self.model else "").encode())
        if self.model:
            store = self._judged(tables, context)
            keys = keyed(context).select("clip_id", "key")
            with store.table() as known:
                rows = tables.clips.select(*columns, "clip_id").join(keys, on="clip_id")
                _write(rows.join(known, on="key", how="left"), naming, named)
        else:
            bare = {name: pl.lit(None, dtype=kind) for name, kind in SCHEMA.items()}
            _write(tables.clips.select(columns).with_columns(**bare), naming, named)
        return Out(Tables(self._with(tables.clips, pl.scan_parquet(named)), tables.captions))

    def _with(self, clips: pl.LazyFrame, named: pl.LazyFrame) -> pl.LazyFrame:
        """The clips with their events, in the columns and the order that they had."""
        columns = clips.collect_schema().names()
        found = clips.drop("events").join(named, on="rank", how="inner", maintain_order="left")
        if self.scene == "tags":
            found = found.with_columns(pl.col("tags").list.set_union("scenes"))
        return found.select(*columns, *(["timeline"] if self.timeline else []))

    def _judged(self, tables: Tables, context: Context) -> Store:
        """The store with the scores of every clip that the detector is asked about."""
        assert context.runner is not None, "Events needs the audio stages before it"
        work = context.work / "events"
        store = Store((Path(self.cache).expanduser() if self.cache else work) / self.detector.identity())
        asked = tables.clips
        if self.corpus_labels == "instead":
            asked = asked.filter(pl.col("events").list.len() == 0)
        plan = self._plan(asked, context, store)
        durations = pl.read_parquet(plan, columns=["duration"])["duration"]
        tasks = [
            Listening(plan, first, count, self.detector, store.folder, context.runner.threads)
            for first, count in pieces(durations, self.piece_seconds)
        ]
        clips, seconds = 0, 0.0
        for number, (_, done) in enumerate(context.runner.run(listen, tasks), 1):
            clips, seconds = clips + done.clips, seconds + done.seconds
            context.watch(Event(self.name, number, len(tasks), clips=clips, seconds=seconds))
        store.gather()
        return store

    def _plan(self, clips: pl.LazyFrame, context: Context, store: Store) -> Path:
        """The clips to judge, each audio once, in the order in which they lie on disk."""
        path = context.work / "events" / "plan.parquet"
        with store.table() as known, replacing_table(path) as temporary:
            new = lying(clips, context).join(known.select("key"), on="key", how="anti").select(PLAN)
            new.sort("file", "begin").unique("key", keep="first", maintain_order=True).sink_parquet(temporary)
        return path


def heard_by(context: Context) -> Path:
    """The file in which Events leaves who heard a build's events; empty where they are the corpora's labels alone."""
    return context.work / "events" / "detector"


def _write(rows: pl.LazyFrame, naming: Naming, path: Path) -> None:
    """The names of all rows (columns `NAMED`), however many there are."""
    empty = pl.DataFrame(schema=NAMED).to_arrow()
    with replacing_table(path) as temporary, pq.ParquetWriter(temporary, empty.schema) as writer:
        for part in rows.collect_batches(chunk_size=_ROWS, engine="streaming"):
            writer.write_table(naming(part).to_arrow().cast(empty.schema))
