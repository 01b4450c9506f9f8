"""Training on Ray: a worker is killed, the run completes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra captionstew[train]")
pytest.importorskip("ray", reason="Ray Train needs the extra captionstew[build]")

from captionstew.cli.main import main

pytestmark = pytest.mark.slow

_SETTINGS = (
    "data.seconds=12", "data.longest=4", "contrast.vocabulary=400", "contrast.text_layers=1", "contrast.text_width=64",
    "contrast.text_heads=2", "contrast.width=32", "log_every=1", "validate_every=0", "data.hold_out=0", "save_every=2",
    "steps=40",
)  # fmt: skip


def test_a_worker_is_killed_and_the_run_completes(tmp_path: Path) -> None:
    build, out = tmp_path / "build", tmp_path / "run"
    assert main(["build", "sampler", "--out", str(build), "--quiet", "--cluster", "none"]) == 0
    line = [sys.executable, "-m", "captionstew", "train", "contrastive_small", "--data", str(build), "--out", str(out),
            "--cluster", "local", "--ranks", "2"]  # fmt: skip
    for setting in _SETTINGS:
        line += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _until(lambda: _steps(out) >= 5, process)
    os.kill(_worker(process.pid), signal.SIGKILL)
    _, said = process.communicate(timeout=400)
    assert process.returncode == 0, said.decode()[-3000:]
    events = [json.loads(text)["event"] for text in (out / "ledger.jsonl").read_text().splitlines()]
    assert "resumed" in events
    assert events[-1] == "finished"
    lines = [json.loads(text) for text in (out / "metrics.jsonl").read_text().splitlines()]
    assert [one["step"] for one in lines if "loss" in one] == list(range(1, 41))


def _steps(out: Path) -> int:
    log = out / "metrics.jsonl"
    return sum('"loss"' in text for text in log.read_text().splitlines()) if log.is_file() else 0


def _until(done: object, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 300
    while not done():  # type: ignore[operator]
        assert process.poll() is None, "it ended early"
        assert time.monotonic() < end, "it does not begin"
        time.sleep(0.05)


def _worker(parent: int) -> int:
    """The process of one of the workers, by the name that Ray gives it."""
    import psutil

    for process in psutil.Process(parent).children(recursive=True):
        if any("RayTrainWorker" in word for word in process.cmdline()):
            return int(process.pid)
    raise AssertionError([process.cmdline() for process in psutil.Process(parent).children(recursive=True)])
