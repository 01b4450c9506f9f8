"""Calibration of a detector on a build: what it hears in clips that people labelled, and the thresholds that follow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from captionstew.enrich.detector import Detector
from captionstew.enrich.listen import PLAN, Listening, key, listen
from captionstew.enrich.ontology import ontology
from captionstew.enrich.scores import Store
from captionstew.enrich.thresholds import Calibration, Scores, Thresholds
from captionstew.enrich.want import key_of
from captionstew.errors import BuildError
from captionstew.pipeline.progress import Event, Watch, unwatched
from captionstew.pipeline.unit import threads_here
from captionstew.shards.columns import read_columns
from captionstew.shards.sidecar import open_sidecar

_COLUMNS = ["clip_id", "corpus", "events", "codec", "audio_sha256", "duration"]
_AT_ONCE = 256  # clips that are heard before they are kept
_LABELLED = ("audioset", "vggsound", "esc50", "fsd50k")  # of the corpora that we know

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Calibrated:
    """The thresholds, the clips that they are from by corpus, and how many of these hold each class."""

    thresholds: Thresholds
    corpora: Mapping[str, int]
    support: Mapping[str, int]  # the most frequent class first; classes in no clip are left out


def calibrate(
    build: Path,
    detector: Detector,
    calibration: Calibration,
    most: int,
    cache: str = "",
    watch: Watch = unwatched,
) -> Calibrated:
    """Thresholds from at most `most` labelled clips of a build, the same ones each time.

    A class is judged on clips of those corpora alone that name it (or what it implies): the others say nothing of it.
    What is heard is kept where Events keeps it, in the build or in `cache`, and not heard again. BuildError where no
    clip of the build has labels.
    """
    clips = labelled(build, most)
    folder = Path(cache).expanduser() if cache else build / "work" / "events"
    scores = heard(clips, detector, Store(folder / detector.identity()), watch)
    truth, judged = labels(clips)
    names, corpora = ontology().classes, dict(clips["corpus"].value_counts(sort=True).iter_rows())
    found = calibration(scores, truth, judged=judged)
    model, _, revision = detector.label.rpartition("@")
    data = ", ".join(f"{count} clips of {name}" for name, count in corpora.items())
    counts = sorted(
        ((int(number), names[place]) for place, number in enumerate(truth.sum(0)) if number), reverse=True
    )
    return Calibrated(
        replace(found, model=model, revision=revision, data=data),
        corpora,
        {name: count for count, name in counts},
    )


def labelled(build: Path, most: int) -> pl.DataFrame:
    """Clips with AudioSet's classes by people (score 1): clip_id, corpus, labels (as places) and the columns `PLAN`."""
    sidecar, parts, first = open_sidecar(build), [], 0
    for file in sidecar.files:
        lies = pl.DataFrame(sidecar.table.slice(first, file.rows).select(["offset", "length"]))
        first += file.rows
        rows = pl.DataFrame(read_columns(build / file.path, _COLUMNS)).with_columns(
            lies["length"], begin=lies["offset"], key=key(), file=pl.lit(str(build / file.path)),
            source_sum=pl.lit(None, pl.Int64),
        )  # fmt: skip
        places = [_places(events, file.corpus) for events in rows["events"]]
        parts.append(
            rows.with_columns(labels=pl.Series(places, dtype=pl.List(pl.UInt16)))
            .filter(pl.col("labels").list.len() > 0)
            .select("clip_id", "corpus", "labels", *PLAN)
        )
    if not parts or not (every := pl.concat(parts)).height:
        hint = f"build one of {', '.join(_LABELLED)} with its audio, and name that build"
        raise BuildError("no clip with audio has labels of AudioSet's classes", where=str(build), hint=hint)
    lot = pl.col("clip_id").map_elements(key_of, return_dtype=pl.String)
    return every.unique("key", keep="first", maintain_order=True).sort(lot).head(most)


def heard(clips: pl.DataFrame, detector: Detector, store: Store, watch: Watch = unwatched) -> Scores:
    """Scores (N, 527) of the clips, in their order; those below what is kept are 0."""
    with store.table() as known:
        new = clips.lazy().select(PLAN).join(known, on="key", how="anti").sort("file", "begin").collect()
    seconds = 0.0
    with TemporaryDirectory(prefix="captionstew-") as folder:
        plan = Path(folder) / "plan.parquet"
        new.write_parquet(plan)
        for first in range(0, len(new), _AT_ONCE):
            done = listen(Listening(plan, first, _AT_ONCE, detector, store.folder, threads_here()))
            seconds += done.seconds
            watch(Event("events", min(first + _AT_ONCE, len(new)), len(new), first + done.clips, seconds))
    scores = np.zeros((len(clips), len(ontology().classes)), np.float32)
    with store.table() as known:
        rows = clips.lazy().select("key").with_row_index("row").join(known, on="key").explode("scores")
        cells = rows.select("row", pl.col("scores").struct.unnest()).drop_nulls().collect()
    scores[cells["row"], cells["label"]] = cells["score"]
    return scores


def labels(clips: pl.DataFrame) -> tuple[Flags, Flags]:
    """Which classes each clip holds (N, 527), and of which of them its corpus would have said so (N, 527)."""
    truth = np.zeros((len(clips), len(ontology().classes)), bool)
    for row, places in enumerate(clips["labels"]):
        truth[row, places.to_numpy()] = True
    corpora = clips["corpus"].to_numpy()
    judged = np.zeros_like(truth)
    for name in set(corpora):
        judged[corpora == name] = truth[corpora == name].any(0)
    return truth, judged


def _places(events: Iterable[Mapping[str, Any]], corpus: str) -> list[int]:
    """The classes that people heard, with those that they imply: who says bark has said dog."""
    known = ontology()
    told = {known.canonical(event["label"], corpus) for event in events if event["score"] == 1}
    above = {name for label in told for name in known.implied.get(label, ())}
    return sorted(known.places[name] for name in told | above if name in known.places)
