"""The loop over real shards: what a bad gradient does, and what averaging and accumulating mean."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch

from captionstew.cli.main import main
from captionstew.errors import BuildError, IncompleteError
from captionstew.train.assemble import assembled
from captionstew.train.folder import RunFolder, open_folder
from captionstew.train.loop import Seen, Trainer
from captionstew.train.preflight import preflight
from captionstew.train.run import Audio, Augment, Contrast, Data, Optimiser, Run

RUN = Run(
    name="tiny",
    about="as small as it can be",
    audio=Audio(encoder="vit-tiny"),
    objective=Contrast(
        text="scratch", text_width=32, text_layers=1, text_heads=2, vocabulary=60, width=16, max_tokens=12
    ),
    data=Data(seconds=12, shortest=0.5, longest=3),
    augment=Augment(spec="none"),
    optimiser=Optimiser(kind="adamw", rate=1e-3, schedule="constant", warmup=0),
    steps=4, average_every=1, log_every=1, validate_every=0, save_every=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def build(melody: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("melodies")
    for seed in range(12):
        soundfile.write(folder / f"{seed}.wav", melody(seed, 2.0), 16_000)
        (folder / f"{seed}.txt").write_text(f"melody number {seed}\n")
    out = folder / "build"
    assert (
        main(["build", "folder", "--from", str(folder), "--out", str(out), "--quiet", "--cluster", "none"])
        == 0
    )
    return out


def trainer(run: Run, build: Path, out: Path, seen: list[Seen]) -> Trainer:
    folder = open_folder(out, run, build)
    return assembled(run, folder, str(build), torch.device("cpu"), seen.append)


def fit(one: Trainer) -> None:
    with one.data:
        one.fit()


def ledger(out: Path, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(text) for text in (out / "ledger.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def test_a_gradient_that_is_no_number_skips_the_step_and_names_its_clips(build: Path, tmp_path: Path) -> None:
    one = trainer(RUN, build, tmp_path, [])
    weight = next(one.learner.encoder.parameters())
    weight.register_hook(lambda gradient: gradient * float("nan") if one.step == 1 else gradient)  # type: ignore[no-untyped-call]
    fit(one)
    (skipped,) = ledger(tmp_path, "skipped")
    assert skipped["step"] == 2
    assert len(skipped["clips"]) == 6
    assert all(name.startswith("folder:") for name in skipped["clips"])
    assert one.movers.guard.num_skipped == 1
    assert all(torch.isfinite(parameter).all() for parameter in one.learner.parameters())


def test_gradients_that_stay_broken_end_the_run_with_a_reason(build: Path, tmp_path: Path) -> None:
    one = trainer(replace(RUN, steps=100), build, tmp_path, [])
    weight = next(one.learner.encoder.parameters())
    weight.register_hook(lambda gradient: gradient * float("inf"))  # type: ignore[no-untyped-call]
    with pytest.raises(IncompleteError, match="not finite"):
        fit(one)
    assert one.step < 40


def test_a_preflight_changes_nothing(build: Path, tmp_path: Path) -> None:
    plain: list[Seen] = []
    fit(trainer(RUN, build, tmp_path / "plain", plain))
    tried: list[Seen] = []
    one = trainer(RUN, build, tmp_path / "tried", tried)
    estimate = preflight(one)
    assert estimate.clips == 12
    assert (estimate.worst_clips, estimate.worst_seconds) == (6, 2.0)
    fit(one)
    assert [seen.values["loss"] for seen in tried] == [seen.values["loss"] for seen in plain]


def test_what_is_frozen_stays_and_the_rest_moves(build: Path, tmp_path: Path) -> None:
    one = trainer(replace(RUN, audio=replace(RUN.audio, freeze=("blocks.*",))), build, tmp_path, [])
    before = {name: value.clone() for name, value in one.learner.state_dict().items()}
    fit(one)
    after = one.learner.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("encoder.blocks.") for name in moved)
    assert "encoder.norm.weight" in moved


def test_a_folder_of_something_else_is_left_alone(build: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BuildError, match="not empty and no run"):
        open_folder(tmp_path, RUN, build)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_steps_may_be_raised_later_but_not_the_seed(build: Path, tmp_path: Path) -> None:
    open_folder(tmp_path, RUN, build)
    assert isinstance(open_folder(tmp_path, replace(RUN, steps=9), build), RunFolder)
    with pytest.raises(BuildError, match="holds another run"):
        open_folder(tmp_path, replace(RUN, seed=1), build)
