"""A build: every stage in turn, each piece of work once, whatever interrupts it."""

import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from captionstew.corpora.facts import corpus
from captionstew.digest import digest
from captionstew.errors import BuildError
from captionstew.pipeline.account import audio_accounts, counted, reasons
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.folder import Folder
from captionstew.pipeline.ledger import Entry, Output
from captionstew.pipeline.local import Local, Runner
from captionstew.pipeline.pack import Piece, audio_lengths, plan_pieces, run_piece
from captionstew.pipeline.progress import Event, Watch, unwatched
from captionstew.pipeline.request import Request, Summary
from captionstew.pipeline.stage import Context, Out, Tables, TableStage, dropped
from captionstew.pipeline.table import Files, run_table, totals, write
from captionstew.pipeline.unit import Done, Unit, run_unit, threads_here
from captionstew.pipeline.units import audio_label, audio_table, plan_units, units_of
from captionstew.shards.atomic import clear_partial
from captionstew.shards.manifest import Account, Tally, write_manifest
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.write import Written, written

_RAY_PAYS = 20e9  # bytes of source files: some minutes of work on one core, against 10 s to start Ray
_RAY_CORES = 4  # below this a thread per core does as well


class Build:
    """One run of one request; `run` returns the summary or raises a StewError that says what to do."""

    def __init__(self, request: Request, watch: Watch = unwatched) -> None:
        self.request, self.watch = request, watch
        self.pipeline = request.pipeline
        self.folder = Folder(request.out)
        self.ledger = self.folder.ledger
        self.context = Context(request.corpora, dict(request.places), request.limit)
        self.accounts: list[Account] = []
        self.tally = Tally()
        self.dropped: list[pl.LazyFrame] = []
        self.pieces: list[Piece] = []
        self.skipped = self.done = self._number = 0
        self.audio_wall = self.audio_seconds = 0.0

    def run(self) -> Summary:
        """Build, or continue to build; the same request leaves the same bytes however often it was stopped."""
        began = time.perf_counter()
        with self.folder.locked(fresh=self.request.fresh):
            self.ledger = self.folder.ledger
            self.folder.freeze(self.pipeline)
            self._make_corpora()
            tables, upstream = self._stages(self.pipeline.before, Tables(pl.LazyFrame(), pl.LazyFrame()), "")
            units = plan_units(
                self.folder.work, replace(self.request, places=self.context.places), tables.clips
            )
            runner = self._runner(units)
            try:
                self.context = replace(
                    self.context,
                    audio=self._audio(units, runner),
                    work=self.folder.work,
                    runner=runner,
                    watch=self.watch,
                )
                tables, upstream = self._settle_audio(tables, upstream, units)
                self.context = replace(self.context, heard=self._heard(runner))
                tables, upstream = self._stages(self.pipeline.after, tables, upstream)
                self._write_drops()
                shards = self._shards(tables, runner)
            finally:
                runner.close()
            self.folder.keep_only((shard.path for shard in shards), (unit.name for unit in units))
            self.folder.keep_leaves(
                leaf for stage in self.pipeline.after for leaf in stage.leaves(self.context)
            )
            manifest = write_manifest(
                self.folder.path,
                shards,
                recipe=self.pipeline.name,
                recipe_digest=self.pipeline.identity(),
                accounting=self.accounts,
                tally=self.tally,
            )
            write_sidecar(self.folder.path, {one.path: partial(audio_lengths, one) for one in self.pieces})
            clear_partial(self.folder.path)  # of workers that died, or were stopped because a copy was first
        return Summary(
            self.request.out, manifest, runner.name, time.perf_counter() - began, self.audio_wall, self.audio_seconds,
            self.skipped, self.done,
        )  # fmt: skip

    def _make_corpora(self) -> None:
        """Corpora that are made by arithmetic are made here, once."""
        places = dict(self.context.places)
        compared = [corpus(name) for stage in self.pipeline.before for name in stage.needs()]
        every = {facts.name: facts for facts in (*self.request.corpora, *compared)}
        for facts in every.values():
            if facts.made_by and not places.get(facts.name):
                self.watch(Event("make", 0, 1, note=facts.title))
                maker = importlib.import_module(f"captionstew.corpora.{facts.made_by}")
                maker.make(self.folder.path / "source", facts.name)
                places[facts.name] = (self.folder.path / "source" / facts.name,)
        self.context = replace(self.context, places=places)

    def _stages(self, stages: Sequence[TableStage], tables: Tables, upstream: str) -> tuple[Tables, str]:
        for stage in stages:
            upstream = digest(stage.identity(), upstream, stage.upstream(self.context))
            tables = self._table(stage.name, upstream, partial(run_table, stage, tables, self.context),
                                 stage.leaves(self.context))  # fmt: skip
        return tables, upstream

    def _table(
        self, name: str, fingerprint: str, work: Callable[[Files], None], leaves: Sequence[Path] = ()
    ) -> Tables:
        """Do this work on tables, or take what it left."""
        self._number += 1
        files = Files(self.folder.work / f"{self._number:02}-{name}")
        entry = self.ledger.done(name, "all", fingerprint)
        if skipped := entry is not None and len(entry.outputs) == len(files.all) + len(leaves):
            self.skipped += 1
        else:
            began = time.perf_counter()
            self.watch(Event(name, 0, 1))
            files.folder.mkdir(parents=True, exist_ok=True)
            work(files)
            self.folder.record(
                name, "all", fingerprint, totals(files.accounts()), (*files.all, *leaves), began
            )
            self.done += 1
        made = files.accounts()
        if name != audio_label(self.pipeline.audio):
            self.accounts += made
        self.tally += files.tally()
        self.dropped.append(files.drops().with_columns(stage=pl.lit(name)))
        _, kept, drops = totals(made)
        self.watch(Event(name, 1, 1, clips=kept, drops=drops, skipped=skipped))
        return files.tables

    def _runner(self, units: Sequence[Unit]) -> Runner:
        """Where the pieces of work run: as asked, or by how much there is to do."""
        asked = self.request.cluster
        if asked == "auto":
            todo = sum((unit.folder / f"{unit.name}.parquet").exists() is False for unit in units) * 128e6
            asked = "local" if todo > _RAY_PAYS and threads_here() >= _RAY_CORES else "none"
        if asked == "none":
            return Local()
        from captionstew.pipeline.cluster import Cluster

        self.watch(Event("ray", 0, 1, note=f"starting Ray: {asked}"))
        return Cluster(asked)

    def _audio(self, units: Sequence[Unit], runner: Runner) -> pl.LazyFrame:
        """Every unit done; returns the measures of the clips that came through."""
        label = audio_label(self.pipeline.audio)
        self.watch(Event(label, 0, len(units), note=runner.name))
        began = time.perf_counter()
        kept, seconds, drops = 0, 0.0, dict[str, int]()
        todo = [replace(unit, threads=runner.threads) for unit in units if not self._has(label, unit.name)]
        self.skipped += len(units) - len(todo)
        ran = runner.run(run_unit, todo, [unit.size for unit in todo])
        for number, (place, done) in enumerate(ran, 1 + len(units) - len(todo)):
            self._record_unit(label, todo[place], done)
            kept, seconds = kept + done.received - sum(done.drops.values()), seconds + done.seconds
            drops = {r: drops.get(r, 0) + done.drops.get(r, 0) for r in {*drops, *done.drops}}
            self.watch(Event(label, number, len(units), clips=kept, seconds=seconds, drops=drops))
        self.audio_wall, self.audio_seconds = time.perf_counter() - began, seconds
        if not todo:
            self.watch(Event(label, len(units), len(units), skipped=True))
        return audio_table(units).filter(pl.col("reason").is_null())

    def _heard(self, runner: Runner) -> pl.LazyFrame | None:
        """What is heard of evaluation audio, for the stages that compare with it; worked on as the audio units are."""
        tables = []
        for stage in self.pipeline.after:
            if (hearing := stage.hears(self.context)) is None:
                continue
            work, label = self.folder.work / f"heard-{stage.name}", f"{stage.name}.audio"
            units = units_of(work / "units.parquet", hearing, work, self.request.unit_bytes)
            todo = [
                replace(unit, threads=runner.threads) for unit in units if not self._has(label, unit.name)
            ]
            clips, seconds, before = 0, 0.0, len(units) - len(todo)
            ran = runner.run(run_unit, todo, [unit.size for unit in todo])
            for number, (place, done) in enumerate(ran, 1 + before):
                self._record_unit(label, todo[place], done)
                clips, seconds = clips + done.received, seconds + done.seconds
                self.watch(Event(label, number, len(units), clips=clips, seconds=seconds))
            known = audio_table(units).filter(pl.col("reason").is_null()).drop("unit")
            corpora = hearing.clips.lazy().select("clip_id", "corpus")
            tables.append(known.join(corpora, on="clip_id").select("corpus", "clip_id", "fingerprint"))
        return pl.concat(tables) if tables else None

    def _has(self, stage: str, shard: str) -> bool:
        return self.ledger.done(stage, shard, shard) is not None

    def _record_unit(self, label: str, unit: Unit, done: Done) -> None:
        folder = unit.folder.relative_to(self.folder.path).as_posix()
        outputs = {f"{folder}/{name}": output for name, output in done.outputs.items()}
        kept = done.received - sum(done.drops.values())
        self.ledger.add(
            Entry(label, unit.name, unit.name, done.received, kept, done.drops, outputs, round(done.wall, 3))
        )
        self.done += 1

    def _settle_audio(self, tables: Tables, upstream: str, units: Sequence[Unit]) -> tuple[Tables, str]:
        """The clips that came through the audio stages; those that did not, with stage and reason."""
        label = audio_label(self.pipeline.audio)
        fingerprint = digest(label, upstream, sorted(unit.name for unit in units))
        lost = (
            audio_table(units)
            .filter(pl.col("reason").is_not_null())
            .select("clip_id", "stage", "reason", "detail")
        )
        rows = tables.clips.join(lost, on="clip_id", how="inner")
        kept = Tables(tables.clips.join(lost, on="clip_id", how="anti"), tables.captions)
        out = Out(kept, dropped(rows, pl.col("reason"), pl.col("detail")))
        settled = self._table(label, fingerprint, lambda files: write(out, label, tables, files))
        self.dropped[-1] = rows.select("rank", "clip_id", "corpus", "reason", "detail", "stage")
        self.accounts += audio_accounts(self.pipeline.audio, counted(tables.clips), self.dropped[-1])
        return settled, fingerprint

    def _shards(self, tables: Tables, runner: Runner) -> list[Written]:
        """Every shard written; those whose rows did not change stay as they are."""
        stage = self.pipeline.sink.name
        assert self.context.audio is not None
        places = self.context.places
        pieces = plan_pieces(self.folder.path, tables, self.context.audio, self.pipeline.sink, places)
        self.pieces = pieces
        if not pieces:
            raise BuildError(
                "no clip is left to write",
                cause=reasons(self.accounts),
                hint="loosen the recipe with --set, or see drops/",
            )
        shards = {piece.path: self._finished(stage, piece) for piece in pieces}
        todo = [piece for piece in pieces if shards[piece.path] is None]
        self.skipped += len(pieces) - len(todo)
        self.watch(Event(stage, len(pieces) - len(todo), len(pieces), skipped=not todo))
        began = time.perf_counter()
        clips = sum(shard.rows for shard in shards.values() if shard)
        sizes = [piece.expected_bytes for piece in todo]
        with closing(runner.run(run_piece, todo, sizes, narrow=True)) as ran:
            for number, (place, shard) in enumerate(ran, 1 + len(pieces) - len(todo)):
                piece = todo[place]
                shards[piece.path] = shard
                name = piece.path.relative_to(self.folder.path).as_posix()
                output = {name: Output.of(piece.path, shard.sha256)}
                wall = round(time.perf_counter() - began, 3)
                self.ledger.add(Entry(stage, name, piece.name, piece.count, shard.rows, {}, output, wall))
                self.done += 1
                clips += shard.rows
                self.watch(Event(stage, number, len(pieces), clips=clips))
        return [shard for shard in shards.values() if shard is not None]

    def _finished(self, stage: str, piece: Piece) -> Written | None:
        path = piece.path.relative_to(self.folder.path).as_posix()
        entry = self.ledger.done(stage, path, piece.name)
        return written(piece.path, entry.outputs[path].sha256) if entry else None

    def _write_drops(self) -> None:
        """`drops/<stage>/<corpus>.parquet`: every clip that is not in the shards, with its reason."""
        for path in self.folder.path.glob("drops/*/*.parquet"):
            path.unlink()
        for rows in _by_stage_and_corpus(self.dropped):
            stage, corpus = rows["stage"][0], rows["corpus"][0]
            path = self.folder.path / "drops" / stage / f"{corpus}.parquet"
            with replacing_table(path) as temporary:
                rows.select("clip_id", "reason", "detail").sort("clip_id", "reason", "detail").write_parquet(
                    temporary
                )


def _by_stage_and_corpus(drops: Sequence[pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    for table in drops:
        rows = table.collect(engine="streaming")
        for _, group in rows.group_by("stage", "corpus", maintain_order=True):
            yield group
