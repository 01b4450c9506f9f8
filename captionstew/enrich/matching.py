"""One piece of matching: how near captions are to the audio of their clips, kept as a table by audio and text."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from captionstew.digest import digest
from captionstew.enrich.listen import PLAN, decoded, one_core, pieces
from captionstew.enrich.lying import keyed, lying
from captionstew.enrich.similarity import Similarity, checked
from captionstew.enrich.weights import revision_of
from captionstew.pipeline.disk import replacing_table
from captionstew.pipeline.progress import Event
from captionstew.pipeline.reach import reach_plan
from captionstew.pipeline.stage import Context

MADE, TRUE, FALSE = "generated", "original", "another's"  # kinds of pairs
SCORED = ("clip_id", "kind", "text", "score")
_SAMPLED = 1_000  # clips whose originals are scored too
_SCORES = {"key": pl.String(), "text": pl.String(), "score": pl.Float32()}
_SECONDS = 1800.0  # of audio in a piece: what a kill costs


@dataclass(frozen=True)
class Model:
    """A model that compares texts with audio, by name on the Hub or by path, and the device that it runs on."""

    name: str
    revision: str = ""
    device: str = "auto"

    def located(self) -> Path:
        """Its folder on this machine, fetched from the Hub if need be; StewError if there is none."""
        path = Path(self.name).expanduser()
        if path.exists():
            return path.resolve()
        from captionstew.train.encoders.hub import fetched

        options = {"revision": self.revision} if self.revision else {}
        return fetched(self.name, ["*.json", "*.txt", "*.safetensors"], **options)

    def identity(self) -> str:
        """The commit, or a hash of its files: equal identities give equal scores."""
        return revision_of(self.located())

    def check(self) -> None:
        """StewError where the model cannot be had, or compares no text with audio, before any work."""
        checked(self.located())


@dataclass(frozen=True)
class Matching:
    """Rows [first, first + count) of the plan: the columns `PLAN` and a `text`, those of one clip together."""

    plan: Path
    first: int
    count: int
    model: Model
    folder: Path
    threads: int = 1


def match(task: Matching) -> float:
    """The scores lie in the folder, in a file by the name of their pairs; seconds of audio that were heard."""
    reach_plan(task.plan)
    rows = pl.scan_parquet(task.plan).slice(task.first, task.count).collect()
    similarity = _loaded(task.model.located(), task.model.device, task.model.identity())
    clips = [list(several) for _, several in groupby(rows.iter_rows(), key=lambda row: row[0])]

    def scored(first: int) -> list[tuple[str, str, float]]:
        return [one for several in clips[first :: task.threads] for one in _scored(similarity, several)]

    with one_core(), ThreadPoolExecutor(task.threads) as pool:
        found = [one for several in pool.map(scored, range(task.threads)) for one in several]
    table = pl.DataFrame(found, schema=_SCORES, orient="row").sort("key", "text")
    name = digest(table["key"].to_list(), table["text"].to_list())
    with replacing_table(task.folder / f"{name}.parquet") as path:
        table.write_parquet(path, compression="zstd")
    return float(sum(several[0][len(PLAN) - 1] for several in clips))


def matched(
    pairs: pl.LazyFrame, clips: pl.LazyFrame, context: Context, model: Model, stage: str
) -> pl.LazyFrame:
    """`pairs` of `rank` and `text` with a `score` each; what is known of the same weights is not computed again."""
    assert context.runner is not None, "matching comes after the audio stages"
    work = context.work / "similarity"
    folder, plan = work / model.identity(), work / "plan.parquet"
    folder.mkdir(parents=True, exist_ok=True)
    rows = lying(clips, context).select("rank", *PLAN).join(pairs.select("rank", "text"), on="rank")
    with replacing_table(plan) as temporary:
        new = rows.join(_known(folder), on=["key", "text"], how="anti").select(*PLAN, "text")
        new.unique(["key", "text"]).sort("file", "begin", "text").sink_parquet(temporary)
    tasks = list(_tasks(plan, model, folder, context.runner.threads))
    seconds = 0.0
    for number, (_, heard) in enumerate(context.runner.run(match, tasks), 1):
        seconds += heard
        context.watch(Event(stage, number, len(tasks), seconds=seconds))
    keys = keyed(context).join(clips.select("rank", "clip_id"), on="clip_id").select("rank", "key")
    return (
        pairs.join(keys, on="rank", how="left")
        .join(_known(folder), on=["key", "text"], how="left")
        .drop("key")
    )


def known_pairs(originals: pl.LazyFrame) -> pl.LazyFrame:
    """Pairs whose truth is known: of some clips the first original with their audio, and with another clip's."""
    ranks = originals.select("rank").unique().sort("rank").collect(engine="streaming")
    some = ranks.gather_every(max(1, -(-len(ranks) // _SAMPLED))).lazy()
    order = ["rank", pl.col("style") != "human", "origin", "place"]
    mine = (
        originals.join(some, on="rank", how="semi")
        .sort(order)
        .unique("rank", keep="first", maintain_order=True)
    )
    true = mine.select("rank", "text").collect()
    far = (pl.int_range(pl.len()) + pl.len() // 2) % pl.len()
    false = true.with_columns(text=pl.col("text").gather(far)).filter(
        pl.Series(true["text"]) != pl.col("text")
    )
    kinds = ((true, TRUE), (false, FALSE))
    return pl.concat([rows.with_columns(kind=pl.lit(kind)) for rows, kind in kinds]).lazy()


def _tasks(plan: Path, model: Model, folder: Path, threads: int) -> Iterator[Matching]:
    """Pieces of the plan; a clip's rows are never parted."""
    rows = pl.read_parquet(plan, columns=["key", "duration"])
    runs = rows.group_by(pl.col("key").rle_id(), maintain_order=True).agg(pl.len(), pl.first("duration"))
    ends = [0, *runs["len"].cum_sum()]
    for first, count in pieces(runs["duration"], _SECONDS):
        yield Matching(plan, ends[first], ends[first + count] - ends[first], model, folder, threads)


def _scored(similarity: Similarity, rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[str, str, float]]:
    """The scores of one clip's texts; the clip is heard once."""
    rows = list(rows)
    key, samples = decoded(similarity.sample_rate, *rows[0][: len(PLAN) - 1])
    sound_D = similarity.audio(samples)
    for *_, text in rows:
        yield key, text, float(similarity.text(text)[0] @ sound_D)


def _known(folder: Path) -> pl.LazyFrame:
    """The scores that lie in a folder; a piece that was done twice has the same ones twice."""
    files = sorted(folder.glob("*.parquet"))
    found = pl.scan_parquet(files) if files else pl.LazyFrame(schema=_SCORES)
    return found.unique(["key", "text"])


@lru_cache(maxsize=1)
def _loaded(folder: Path, device: str, _identity: str) -> Similarity:
    import torch

    there = "cuda" if torch.cuda.is_available() else "cpu"
    return Similarity.load(folder, device=there if device == "auto" else device)
