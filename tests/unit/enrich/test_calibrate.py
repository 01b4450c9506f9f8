"""A detector's thresholds from a build with labels of people: what counts as true, for whom, and what is heard once."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
import soundfile

from captionstew.audio.codec import decode_pcm
from captionstew.cli.main import main
from captionstew.corpora.facts import corpus
from captionstew.enrich.calibrate import calibrate, labelled, labels
from captionstew.enrich.detector import Detector
from captionstew.enrich.ontology import ontology
from captionstew.enrich.thresholds import Calibration, Thresholds
from captionstew.errors import BuildError
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import recipe
from captionstew.stages.events import Events

PLACES = ontology().places
LABELS = ["dog", "rain", "dog", "dog", "rain", "cat", "dog", "rain"]


def built(out: Path, source: Path, *stages: Events) -> Path:
    """A build of clips in ESC-50's layout, with these stages before the last."""
    pipeline = recipe("esc50")
    pipeline = replace(pipeline, stages=(*pipeline.stages[:-1], *stages, pipeline.stages[-1]))
    Build(Request(pipeline, out, (corpus("esc50"),), {"esc50": (source,)}, cluster="none")).run()
    return out


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, melody: Callable[..., Any]) -> Path:
    """Eight clips that their publisher has labelled."""
    folder = tmp_path_factory.mktemp("esc50")
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    (folder / "audio").mkdir()
    (folder / "meta").mkdir()
    for number, category in enumerate(LABELS):
        name = f"1-{100 + number}-A-{number}.wav"
        soundfile.write(folder / "audio" / name, melody(number, seconds=1.0 + number / 4), 16_000)
        lines.append(f"{name},1,{number},{category},False,{100 + number},A")
    (folder / "meta" / "esc50.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def build(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clips, with no other events than those labels."""
    return built(tmp_path_factory.mktemp("build"), source)


def command(build: Path, model: Path, out: Path, *more: str) -> list[str]:
    """A command line that lets every class count that is in three clips."""
    words = ["enrich", "calibrate", str(build), "--detector", str(model), "--out", str(out), "--fewest", "3"]
    return [*words, "--possible", "0.5", "--certain", "0.6", "--quiet", *more]


def test_thresholds_are_the_least_scores_from_which_on_enough_labels_are_true(
    build: Path, ast_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thresholds.toml"
    assert main([*command(build, ast_folder, file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["corpora"] == {"esc50": 8}
    assert {name: told["support"][name] for name in ("Animal", "Dog", "Rain", "Cat")} == {
        "Animal": 5, "Dog": 4, "Rain": 3, "Cat": 1,
    }  # fmt: skip
    found = Thresholds.load(file)
    assert set(found.certain) == {name for name, count in told["support"].items() if count >= 3}
    assert f"{found.model}@{found.revision}" == Detector(str(ast_folder)).label
    assert found.data == "8 clips of esc50"
    ears = Detector(str(ast_folder)).ears()
    for name in ("Dog", "Rain"):
        pairs = []
        for row in pq.read_table(next(build.glob("data/audio/esc50/*.parquet"))).to_pylist():
            pcm, _ = decode_pcm(row["audio"]["bytes"], row["codec"])
            (heard,) = ears([("", (pcm / np.float32(32768)).astype(np.float32))])
            pairs.append((round(float(heard.scores[PLACES[name]]), 4), row["events"][0]["label"] == name))
        for precision, least in ((0.5, found.possible[name]), (0.6, found.certain[name])):
            right = {
                score: np.mean([true for other, true in pairs if other >= score]) >= precision
                for score, _ in pairs
                if score >= 0.02
            }
            assert least == min((score for score, good in right.items() if good), default=1.0)


def test_what_was_heard_is_not_heard_again_and_leaves_the_same_file(
    build: Path, ast_folder: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    cache = ["--cache", str(tmp_path / "cache")]
    assert main(command(build, ast_folder, first, *cache)) == 0
    (scores,) = (tmp_path / "cache").glob("*/*.parquet")
    os.utime(scores, (0, 0))
    assert main(command(build, ast_folder, second, *cache)) == 0
    assert [path.stat().st_mtime for path in (tmp_path / "cache").glob("*/*.parquet")] == [0.0]
    assert second.read_bytes() == first.read_bytes()


def test_a_build_whose_events_this_detector_heard_needs_no_audio(
    source: Path, ast_folder: Path, tmp_path: Path
) -> None:
    out = built(tmp_path / "out", source, Events(model=str(ast_folder)))
    heard = {path: path.stat().st_mtime_ns for path in out.glob("work/events/*/*.parquet")}
    assert heard
    assert main(command(out, ast_folder, tmp_path / "thresholds.toml")) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("work/events/*/*.parquet")} == heard


def test_the_table_says_what_counts_what_is_too_rare_and_what_to_run_next(
    build: Path, ast_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "thresholds.toml"
    line = [word for word in command(build, ast_folder, file, "--certain", "1") if word != "--quiet"]
    assert main(line) == 0
    shown = capsys.readouterr().out.splitlines()
    (dog,) = [one.split() for one in shown if one.startswith("  Dog")]
    assert dog[1] == "4"
    assert any("in fewer than 3 clips: 1 class (Cat)" in one for one in shown)
    assert any("keep the default: possible from 0.15, certain from 0.5" in one for one in shown)
    assert shown[-1].startswith("Next: ")
    for setting in (f"Events.model={ast_folder}", f"Events.thresholds={file}", f"Guard.thresholds={file}"):
        assert f"--set {setting}" in shown[-1]


def test_as_many_clips_as_asked_for_are_heard_and_they_are_the_same_ones(build: Path) -> None:
    some = labelled(build, 3)["clip_id"].to_list()
    assert len(some) == 3
    assert some == labelled(build, 8)["clip_id"].to_list()[:3]


def test_a_corpus_says_nothing_of_classes_that_it_never_names() -> None:
    held = [("esc50", ["Dog", "Animal"]), ("esc50", ["Rain"]), ("fsd50k", ["Bark"]), ("fsd50k", ["Rain"])]
    rows = [{"corpus": name, "labels": sorted(PLACES[one] for one in several)} for name, several in held]
    truth, judged = labels(pl.DataFrame(rows, schema={"corpus": pl.String, "labels": pl.List(pl.UInt16)}))
    assert [bool(one) for one in truth[:, PLACES["Rain"]]] == [False, True, False, True]
    assert judged[:, PLACES["Rain"]].all()
    assert judged[:, PLACES["Bark"]].tolist() == [False, False, True, True]
    assert judged[:, PLACES["Animal"]].tolist() == [True, True, False, False]
    scores = np.array([[0.9], [0.8], [0.7], [0.6]], np.float32)
    bark = truth[:, [PLACES["Bark"]]], judged[:, [PLACES["Bark"]]]
    made = Calibration(certain=0.8, possible=0.4, fewest=1)
    assert made(scores, bark[0], ("Bark",), judged=bark[1]).certain["Bark"] == pytest.approx(0.7)
    assert made(scores, bark[0], ("Bark",)).certain["Bark"] == 1.0, "the clips of esc50 would count as errors"


def test_a_build_without_labels_says_which_corpora_have_them(tmp_path: Path, ast_folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match="no clip with audio has labels") as error:
        calibrate(tmp_path / "empty", Detector(str(ast_folder)), Calibration(), 10)
    assert "esc50" in error.value.hint


def test_certain_is_never_less_sure_than_possible(build: Path, ast_folder: Path, tmp_path: Path) -> None:
    assert main([*command(build, ast_folder, tmp_path / "t.toml"), "--possible", "0.9"]) == 2
    assert not (tmp_path / "t.toml").exists()


def test_the_help_names_the_defaults_and_fits_a_screen(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enrich", "calibrate", "--help"]) == 0
    shown = capsys.readouterr().out
    plain = Calibration()
    for word in (f"({plain.possible:g})", f"({plain.certain:g})", f"default ({plain.fewest})"):
        assert word in shown
    assert shown.count("  captionstew enrich calibrate build") == 3
    assert len(shown.splitlines()) <= 30
    assert max(map(len, shown.splitlines())) < 80
