"""The log of a run."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from captionstew.errors import StewError
from captionstew.train.metrics import METRICS, Metrics, Throughput, read_metrics


def _steps(folder: Path) -> list[int]:
    return [row.step for row in read_metrics(folder / METRICS)]


def test_a_step_is_in_the_file_before_the_log_is_closed(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.log(1, {"loss": 2.5, "rate": 1e-3})
    assert [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()] == [
        {"step": 1, "loss": 2.5, "rate": 1e-3}
    ]
    metrics.close()


def test_a_resumed_run_has_no_step_twice_and_loses_none(tmp_path: Path) -> None:
    with Metrics(tmp_path) as metrics:
        for step in range(1, 8):
            metrics.log(step, {"loss": float(step)})
    with Metrics(tmp_path, resume_step=5) as metrics:  # the checkpoint was of step 5
        for step in range(6, 10):
            metrics.log(step, {"loss": float(10 * step)})
    assert _steps(tmp_path) == list(range(1, 10))
    assert [row.values["loss"] for row in read_metrics(tmp_path / METRICS)] == [1, 2, 3, 4, 5, 60, 70, 80, 90]


def test_a_run_begun_anew_in_the_same_folder_starts_from_nothing(tmp_path: Path) -> None:
    with Metrics(tmp_path) as metrics:
        metrics.log(0, {"validation/loss": 2.0})
        metrics.log(3, {"loss": 1.0})
    with Metrics(tmp_path) as metrics:
        metrics.log(0, {"validation/loss": 2.0})
    assert _steps(tmp_path) == [0]


@pytest.mark.parametrize("torn", ['{"step": 3, "lo', '{"step": 3', "3", '{"loss": 1.0}'])
def test_a_half_written_last_line_is_passed_over_and_gone_after_resuming(tmp_path: Path, torn: str) -> None:
    with Metrics(tmp_path) as metrics:
        metrics.log(1, {"loss": 1.0})
        metrics.log(2, {"loss": 2.0})
    with (tmp_path / METRICS).open("a") as file:
        file.write(torn)
    assert _steps(tmp_path) == [1, 2]
    with Metrics(tmp_path, resume_step=2) as metrics:
        metrics.log(3, {"loss": 3.0})
    assert _steps(tmp_path) == [1, 2, 3]


def test_damage_before_the_last_line_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / METRICS
    path.write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "lo\n{"step": 3, "loss": 1.0}\n')
    with pytest.raises(StewError, match=r"metrics\.jsonl line 2"):
        list(read_metrics(path))


def test_values_that_are_no_numbers_survive_in_valid_json(tmp_path: Path) -> None:
    with Metrics(tmp_path) as metrics:
        metrics.log(1, {"loss": math.nan, "gradient_norm": math.inf})
    json.loads(
        (tmp_path / METRICS).read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON")
    )
    (row,) = read_metrics(tmp_path / METRICS)
    assert math.isnan(row.values["loss"])
    assert row.values["gradient_norm"] == math.inf


def test_tensorboard_has_the_same_curve_without_the_steps_that_were_cut(tmp_path: Path) -> None:
    with Metrics(tmp_path) as metrics:
        for step in (1, 2, 3):
            metrics.log(step, {"loss": float(step)})
    with Metrics(tmp_path, resume_step=2) as metrics:
        metrics.log(3, {"loss": 30.0})
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in board.Scalars("loss")] == [(1, 1.0), (2, 2.0), (3, 30.0)]


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="Weights & Biases is installed")
def test_asking_for_weights_and_biases_without_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(StewError, match="pip install wandb"):
        Metrics(tmp_path, wandb=True)


def test_throughput_is_a_ratio_of_sums_that_forgets() -> None:
    throughput = Throughput(num_steps=10)
    assert throughput.update(640, 2) == pytest.approx(320)
    assert throughput.update(0, 2) < 320 / 1.8  # a pause counts as time
    for _ in range(200):
        last = throughput.update(100, 1)
    assert last == pytest.approx(100)
