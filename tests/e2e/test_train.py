"""Training as a user runs it: on a real build, stopped, gone on with, on several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import soundfile

pytest.importorskip("torch", reason="training needs the extra captionstew[train]")

from captionstew.cli.main import main

# As small as it can be while every part takes part: some seconds for some steps.
SMALL = (
    "data.seconds=12", "data.longest=4", "data.hold_out=0.2", "data.validation_clips=24", "contrast.vocabulary=400",
    "contrast.text_layers=1", "contrast.text_width=64", "contrast.text_heads=2", "contrast.width=32",
    "log_every=1", "validate_every=0", "optimiser.warmup=2",
)  # fmt: skip
CAPTION = tuple(
    text.replace("contrast.", "caption.") for text in SMALL if ".text_" not in text and "width=32" not in text
)


@pytest.fixture(scope="module")
def build(sampler_build: Path) -> Path:
    return sampler_build


def words(recipe: str, build: Path, out: Path, *settings: str) -> list[str]:
    base = CAPTION if recipe.startswith("captioning") else SMALL
    found = ["train", recipe, "--data", str(build), "--out", str(out)]
    for setting in (*base, *settings):
        found += ["--set", setting]
    return found


def curve(out: Path) -> list[Mapping[str, Any]]:
    """What was logged, without what a clock measured."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if "throughput" not in name} for line in lines]


def ledger(out: Path) -> list[Mapping[str, Any]]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text(encoding="utf-8").splitlines()]


def steps_of(out: Path) -> list[Mapping[str, Any]]:
    """The steps that are in the log, as far as their lines are whole."""
    log = out / "metrics.jsonl"
    whole = log.read_text(encoding="utf-8").rpartition("\n")[0].splitlines() if log.is_file() else []
    return [line for line in map(json.loads, whole) if "loss" in line]


def wait_for(process: "subprocess.Popen[bytes]", done: Callable[[], bool]) -> None:
    until = time.monotonic() + 200
    while not done():
        assert process.poll() is None, "it ended early"
        assert time.monotonic() < until, "it does not begin"
        time.sleep(0.01)


def start(line: list[str], ranks: str = "") -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "captionstew", *line, *(["--ranks", ranks] if ranks else [])]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(line: list[str], ranks: str = "") -> None:
    process = start(line, ranks)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said.decode()[-3000:]


@pytest.fixture(scope="module")
def undisturbed(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    finish(words("contrastive_small", build, out, "steps=8", "save_every=3", "validate_every=4"))
    return out


def test_a_run_leaves_all_that_a_reader_needs(undisturbed: Path) -> None:
    found = {path.name for path in undisturbed.iterdir()}
    assert {
        "run.json",
        "environment.json",
        "ledger.jsonl",
        "metrics.jsonl",
        "checkpoints",
        "tensorboard",
        "curves.png",
        "curves.svg",
    } <= found
    frozen = json.loads((undisturbed / "run.json").read_text())
    assert frozen["run"]["steps"] == 8
    assert json.loads((undisturbed / "environment.json").read_text())["packages"]["torch"]
    assert [path.name for path in sorted((undisturbed / "checkpoints").iterdir())][-1] == "step-000000008"
    assert [entry["event"] for entry in ledger(undisturbed)] == [
        "began",
        "preflight",
        "saved",
        "saved",
        "saved",
        "finished",
    ]
    logged = curve(undisturbed)
    assert [line["step"] for line in logged if "loss" in line] == list(range(1, 9))
    assert any("validation/audio_to_text/R@10" in line for line in logged)


@pytest.mark.parametrize("kill_after", [4, pytest.param(7, marks=pytest.mark.slow)])
def test_killed_and_run_again_the_curve_is_the_same(
    build: Path, undisturbed: Path, tmp_path: Path, kill_after: int
) -> None:
    line = words("contrastive_small", build, tmp_path / "run", "steps=8", "save_every=3", "validate_every=4")
    process = start(line)
    wait_for(process, lambda: len(steps_of(tmp_path / "run")) >= kill_after)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    finish(line)
    assert "resumed" in [entry["event"] for entry in ledger(tmp_path / "run")]
    assert curve(tmp_path / "run") == curve(undisturbed)
    ours, theirs = (
        out / "checkpoints" / "step-000000008" / "model.safetensors"
        for out in (tmp_path / "run", undisturbed)
    )
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.slow
def test_a_polite_kill_of_two_ranks_saves_the_step_and_leaves_no_process(
    build: Path, undisturbed: Path, tmp_path: Path
) -> None:
    line = words("contrastive_small", build, tmp_path / "run", "steps=500", "save_every=0")
    process = start(line, ranks="2")
    wait_for(process, lambda: len(steps_of(tmp_path / "run")) >= 3)
    processes = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"which is saved" in said
    assert b"Traceback" not in said
    assert not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    last = ledger(tmp_path / "run")[-1]
    (saved,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert (last["event"], saved.name) == ("stopped", f"step-{last['step']:09d}")
    assert [one["step"] for one in steps_of(tmp_path / "run")] == list(range(1, last["step"] + 1))


@pytest.mark.slow
def test_what_a_user_has_to_mend_is_said_once_by_two_ranks(build: Path, tmp_path: Path) -> None:
    process = start(
        words("contrastive_small", build, tmp_path / "run", "audio.encoder=zipfromer-m"), ranks="2"
    )
    _, said = process.communicate(timeout=100)
    assert process.returncode == 1
    assert said.decode().count("there is no encoder 'zipfromer-m'") == 1
    assert said.decode().count("hint:") == 1
    assert "Traceback" not in said.decode()
    finish(
        words("contrastive_small", build, tmp_path / "run", "steps=1")
    )  # nothing stands in the way of the right one


@pytest.mark.slow
def test_a_lost_process_of_two_is_replaced_and_the_curve_is_the_same(build: Path, tmp_path: Path) -> None:
    settings = ("steps=8", "save_every=3")
    finish(words("contrastive_small", build, tmp_path / "whole", *settings), ranks="2")
    process = start(words("contrastive_small", build, tmp_path / "run", *settings), ranks="2")
    wait_for(process, lambda: len(steps_of(tmp_path / "run")) >= 4)
    workers = [one for one in psutil.Process(process.pid).children(recursive=True) if "-m" in one.cmdline()]
    workers[-1].kill()
    _, said = process.communicate(timeout=200)
    assert process.returncode == 0, said.decode()
    assert "a process was lost" in said.decode()
    assert "resumed" in [entry["event"] for entry in ledger(tmp_path / "run")]
    assert curve(tmp_path / "run") == curve(tmp_path / "whole")


def test_a_finished_run_says_so_and_shows_its_last_figures(
    build: Path, undisturbed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = curve(undisturbed)
    line = words("contrastive_small", build, undisturbed, "steps=8", "save_every=3", "validate_every=4")
    assert main(line) == 0
    said = capfd.readouterr().out
    assert "8 steps done before" in said
    assert "audio_to_text/R@10" in said
    assert curve(undisturbed) == before


def test_a_folder_goes_on_only_with_its_own_run(
    build: Path, undisturbed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = words(
        "contrastive_small", build, undisturbed, "steps=8", "save_every=3", "validate_every=4", "seed=1"
    )
    assert main(line) == 1
    assert "holds another run" in capfd.readouterr().err


def test_a_dry_run_measures_and_trains_nothing(
    build: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    line = words("captioning_small", build, tmp_path / "run", "caption.layers=1", "caption.width=64")
    assert main([*line, "--dry-run", "--json"]) == 0
    said = capfd.readouterr()
    estimate = json.loads(said.out)
    assert estimate["clips"] > 100
    assert 0 < estimate["step_seconds"] < 100
    assert "worst batch" in said.err
    assert not (tmp_path / "run").exists()


def test_captions_are_decoded_beside_their_references(build: Path, tmp_path: Path) -> None:
    line = words("captioning_small", build, tmp_path / "run", "steps=2", "validate_every=2",
                 "caption.layers=1", "caption.width=64")  # fmt: skip
    assert main([*line, "--quiet"]) == 0
    (sample,) = [json.loads(text) for text in (tmp_path / "run" / "captions.jsonl").read_text().splitlines()]
    assert sample["step"] == 2
    assert all(pair["reference"] and "decoded" in pair for pair in sample["captions"])


def test_a_table_of_audio_and_captions_is_built_and_trained_on_in_one_command(
    melody: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = ["audio,caption"]
    for seed in range(12):
        soundfile.write(tmp_path / f"{seed}.wav", melody(seed, 2.0), 16_000)
        lines.append(f"{seed}.wav,melody number {seed}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines) + "\n")
    line = words(
        "contrastive_small", tmp_path / "pairs.csv", tmp_path / "run", "steps=2", "contrast.vocabulary=60"
    )
    assert main([*line, "--set", "data.hold_out=0", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["step"] == 2


def test_two_ranks_do_what_one_does_with_both_their_batches(build: Path, tmp_path: Path) -> None:
    same = ("steps=3", "save_every=0", "audio.regularize=false", "audio.encoder=vit-tiny", "augment.spec=none",
            "precision=float32")  # fmt: skip
    recipe = tmp_path / "plain.py"
    recipe.write_text(_PLAIN, encoding="utf-8")
    one, two = tmp_path / "one", tmp_path / "two"
    finish(words(str(recipe), build, one, *same, "accumulate=2", "cached=true"))
    finish(words(str(recipe), build, two, *same), ranks="2")
    for ours, theirs in zip(curve(one), curve(two), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=2e-5)
        assert ours["gradient_norm/encoder"] == pytest.approx(theirs["gradient_norm/encoder"], rel=2e-3)


_PLAIN = '''"""No dropout anywhere: what two ranks do can be compared with what one does."""

from captionstew.train.run import Contrast, Optimiser, Run

plain = Run(
    name="plain",
    about="contrastive without any randomness in the model",
    objective=Contrast(text="scratch", text_dropout=0.0),
    optimiser=Optimiser(kind="adamw", rate=1e-3, schedule="constant"),
    average_every=0,
)
'''
