"""The stage Events, in builds of tiny audio with a tiny detector."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import soundfile

from captionstew.corpora.facts import corpus
from captionstew.enrich.detector import Detector
from captionstew.enrich.ontology import ontology
from captionstew.enrich.scores import Store
from captionstew.enrich.thresholds import Thresholds
from captionstew.errors import BuildError, RecipeError
from captionstew.pipeline.build import Build
from captionstew.pipeline.progress import Event
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context
from captionstew.recipe import recipe
from captionstew.shards.validate import validate
from captionstew.stages.events import Events, heard_by

Melody = Callable[..., npt.NDArray[np.float32]]
CLASSES = ["dog", "sea_waves", "can_opening", "dog", "rain", "clock_tick"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, melody: Melody) -> Path:
    """Six clips in ESC-50's layout; every other one is FLAC as shards hold it, which a build passes through."""
    folder = tmp_path_factory.mktemp("esc50")
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for number, category in enumerate(CLASSES):
        name = f"1-{100 + number}-A-{number}.{'flac' if number % 2 else 'wav'}"
        samples = melody(number, seconds=1.5 + number)
        soundfile.write(folder / "audio" / name, samples, 16_000)
        lines.append(f"{name},1,{number},{category},False,{100 + number},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return folder


def _request(source: Path, out: Path, stage: Events) -> Request:
    pipeline = recipe("esc50")
    stages = (*pipeline.stages[:-1], stage, pipeline.stages[-1])
    return Request(
        replace(pipeline, stages=stages), out, (corpus("esc50"),), {"esc50": (source,)}, cluster="none"
    )


def _build(source: Path, out: Path, stage: Events) -> list[Event]:
    seen: list[Event] = []
    Build(_request(source, out, stage), seen.append).run()
    return [event for event in seen if event.stage == "events" and event.clips and event.seconds]


def _rows(out: Path) -> pl.DataFrame:
    return pl.read_parquet(sorted(out.glob("data/audio/*/*.parquet"))).sort("clip_id")


def _events(out: Path) -> list[dict[str, float]]:
    return [{event["label"]: event["score"] for event in row} for row in _rows(out)["events"]]


def _hashes(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("data", "index")
        for path in (out / part).rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(source: Path, ast_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six clips with the detector's events alone."""
    out = tmp_path_factory.mktemp("built")
    _build(source, out, Events(model=str(ast_folder), corpus_labels="ignore"))
    return out


def test_events_are_what_the_detector_hears_in_the_clips_own_samples(
    built: Path, source: Path, ast_folder: Path
) -> None:
    ears = Detector(str(ast_folder)).ears()
    naming = Thresholds()
    for row, found in zip(_rows(built).iter_rows(named=True), _events(built), strict=True):
        name = next(source.glob(f"audio/*-{row['source_id'].removeprefix('fs:')}-*"))
        samples, _ = soundfile.read(name, dtype="float32")
        heard = dict(zip(ontology().classes, next(iter(ears([("", samples)]))).scores, strict=True))
        tiers = naming.tiers(
            (label, score) for label, score in heard.items() if label not in ontology().scene
        )
        expected = sorted((*tiers.certain, *tiers.possible), key=lambda label: -heard[label])[:10]
        assert set(found) == set(expected)
        assert found == pytest.approx({label: heard[label] for label in expected}, abs=1e-4)
    assert validate(built).passed


def test_no_event_is_a_place_or_said_by_another(built: Path) -> None:
    assert all(_events(built))
    for found in _events(built):
        assert not set(found) & ontology().scene
        certain = [label for label, score in found.items() if score >= 0.5]
        assert ontology().folded(certain) == certain
        assert list(found.values()) == sorted(found.values(), reverse=True)


def test_half_of_the_clips_are_heard_in_their_very_sources(built: Path, source: Path) -> None:
    plan = pl.read_parquet(built / "work" / "events" / "plan.parquet")
    assert sorted(Path(file).suffix for file in plan["file"]) == [".bin"] * 3 + [".flac"] * 3
    assert (
        plan.filter(pl.col("source_sum").is_not_null())["file"].str.starts_with(str(source)).to_list()
        == [True] * 3
    )


def test_a_source_that_changed_meanwhile_stops_the_build(
    source: Path, ast_folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    last = copy / "audio" / "1-105-A-5.flac"

    def watch(event: Event) -> None:
        if event.stage == "clean":
            last.write_bytes(last.read_bytes()[:-1] + b"?")

    request = _request(copy, tmp_path / "out", Events(model=str(ast_folder)))
    with pytest.raises(BuildError, match="audio changed during the build"):
        Build(request, watch).run()


def test_a_second_build_with_the_same_cache_hears_nothing(
    source: Path, ast_folder: Path, tmp_path: Path
) -> None:
    stage = Events(model=str(ast_folder), corpus_labels="ignore", cache=str(tmp_path / "cache"))
    assert sum(event.clips for event in _build(source, tmp_path / "a", stage)) == len(CLASSES)
    assert _build(source, tmp_path / "b", stage) == []
    assert _hashes(tmp_path / "a") == _hashes(tmp_path / "b")
    told = heard_by(Context((), {}, work=tmp_path / "b" / "work"))
    assert told.read_text() == Detector(str(ast_folder)).label
    told.write_text("somebody else")
    assert _build(source, tmp_path / "b", stage) == []
    assert told.read_text() == Detector(str(ast_folder)).label
    other = replace(stage, pooling="mean")
    assert sum(event.clips for event in _build(source, tmp_path / "b", other)) == len(CLASSES)


def test_other_thresholds_hear_nothing_anew(
    source: Path, built: Path, ast_folder: Path, tmp_path: Path
) -> None:
    before = _events(built)
    strict = tmp_path / "thresholds.toml"
    Thresholds(least_certain=0.97, least_possible=0.93).save(strict)
    stage = Events(model=str(ast_folder), corpus_labels="ignore")
    assert _build(source, built, replace(stage, thresholds=str(strict))) == []
    few = _events(built)
    assert all(score >= 0.93 for found in few for score in found.values())
    assert sum(map(len, few)) < sum(map(len, before))
    assert _build(source, built, stage) == []
    assert _events(built) == before


def test_pieces_and_batches_of_another_size_give_the_same_shards(
    source: Path, built: Path, ast_folder: Path, tmp_path: Path
) -> None:
    stage = Events(model=str(ast_folder), corpus_labels="ignore", piece_seconds=3.0, batch_size=4)
    events = _build(source, tmp_path, stage)
    assert len(events) > 2
    assert _hashes(tmp_path) == _hashes(built)


def test_the_publishers_labels_join_the_detectors(
    source: Path, built: Path, ast_folder: Path, tmp_path: Path
) -> None:
    _build(source, tmp_path, Events(model=str(ast_folder), top=5))
    names = [ontology().canonical(name, "esc50") for name in CLASSES]
    assert names[1:3] == ["Waves, surf", "can_opening"]
    for found, name in zip(_events(tmp_path), names, strict=True):
        assert found[name] == 1.0
        assert next(iter(found)) == name
        assert len(found) == 5


def test_the_publishers_labels_stand_for_the_detectors(
    source: Path, ast_folder: Path, tmp_path: Path
) -> None:
    assert _build(source, tmp_path, Events(model=str(ast_folder), corpus_labels="instead")) == []
    assert _events(tmp_path) == [{ontology().canonical(name, "esc50"): 1.0} for name in CLASSES]


def test_a_timeline_orders_the_events_of_a_clip(source: Path, ast_folder: Path, tmp_path: Path) -> None:
    _build(source, tmp_path, Events(model=str(ast_folder), corpus_labels="ignore", timeline=True))
    rows = pl.read_parquet(next(tmp_path.glob("work/*-events/clips.parquet"))).sort("clip_id")
    longest = rows.with_columns(found=_rows(tmp_path)["events"]).row(5, named=True)
    labels = [one["label"] for one in longest["timeline"]]
    onsets = [one["onset"] for one in longest["timeline"]]
    assert onsets == sorted(onsets)
    assert set(onsets) <= {0.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    assert set(labels) <= {event["label"] for event in longest["found"]}
    assert len(labels) == len(set(labels)) > 1


def test_places_can_go_to_the_tags(source: Path, ast_folder: Path, tmp_path: Path) -> None:
    _build(source, tmp_path / "drop", Events(model=str(ast_folder), top=400))
    _build(source, tmp_path / "tags", Events(model=str(ast_folder), top=400, scene="tags"))
    without, with_them = (_rows(tmp_path / name)["tags"].to_list() for name in ("drop", "tags"))
    assert all("fold-1" in tags for tags in with_them)
    extra = set().union(*map(set, with_them)) - set().union(*map(set, without))
    assert extra
    assert extra <= ontology().scene


def test_a_killed_build_goes_on_and_makes_the_same_shards(
    source: Path, built: Path, ast_folder: Path, tmp_path: Path
) -> None:
    stage = Events(model=str(ast_folder), corpus_labels="ignore", piece_seconds=0.1)
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from captionstew.pipeline.build import Build
        from captionstew.pipeline.request import Request
        from captionstew.corpora.facts import corpus
        from captionstew.recipe import recipe
        from captionstew.stages.events import Events
        from dataclasses import replace
        plain = recipe("esc50")
        pipeline = replace(plain, stages=(*plain.stages[:-1], {stage!r}, plain.stages[-1]))
        def watch(event):
            if event.stage == "events" and event.clips == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        places = {{"esc50": (Path({str(source)!r}),)}}
        request = Request(pipeline, Path({str(tmp_path)!r}), (corpus("esc50"),), places, cluster="none")
        Build(request, watch).run()
    """)
    killed = subprocess.run([sys.executable, "-c", script], env=os.environ, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    left = _build(source, tmp_path, stage)
    assert left[-1].clips == len(CLASSES) - 3
    assert _hashes(tmp_path) == _hashes(built)


def test_without_a_detector_neither_torch_nor_transformers_is_needed(source: Path, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in ("torch", "transformers", "huggingface_hub"):
                    raise ModuleNotFoundError(name)
        sys.meta_path.insert(0, Absent())
        from pathlib import Path
        from captionstew.pipeline.build import Build
        from captionstew.pipeline.request import Request
        from captionstew.corpora.facts import corpus
        from captionstew.recipe import recipe
        from captionstew.stages.events import Events
        from dataclasses import replace
        plain = recipe("esc50")
        pipeline = replace(plain, stages=(*plain.stages[:-1], Events(model=""), plain.stages[-1]))
        places = {{"esc50": (Path({str(source)!r}),)}}
        Build(Request(pipeline, Path({str(tmp_path)!r}), (corpus("esc50"),), places, cluster="none")).run()
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert _events(tmp_path) == [{ontology().canonical(name, "esc50"): 1.0} for name in CLASSES]


def test_naming_neither_a_detector_nor_labels_is_refused() -> None:
    with pytest.raises(RecipeError, match="neither a detector nor"):
        Events(model="", corpus_labels="ignore")


def test_a_choice_that_there_is_not_is_refused_with_its_neighbour() -> None:
    with pytest.raises(RecipeError, match="no corpus_labels 'jion'") as error:
        Events(corpus_labels="jion")  # type: ignore[arg-type]
    assert error.value.hint == "did you mean `join`?"


def test_many_small_tables_of_a_store_become_one(tmp_path: Path) -> None:
    from captionstew.enrich.detector import Heard

    store, count = Store(tmp_path), len(ontology().classes)
    for number in range(201):
        scores = np.zeros(count, np.float32)
        scores[number % count] = 0.9
        store.add([Heard(f"clip-{number:03}", scores)])
    with store.table() as known:
        before = known.sort("key").collect()
    store.gather()
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    with store.table() as known:
        after = known.sort("key").collect()
    assert before.equals(after)
    assert len(after) == 201
