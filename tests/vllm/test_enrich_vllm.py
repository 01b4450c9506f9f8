"""A build of real sounds with a tiny detector and the real vLLM: nonsense is asked for, judged, dropped, resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from captionstew.cli.main import main
from captionstew.enrich.detector import Detector
from captionstew.shards.validate import validate

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
CLIPS = 40


@pytest.fixture(scope="module")
def table(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real sounds with the captions that people wrote."""
    rows = [json.loads(line) for line in (real / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [row for row in rows if row["domain"] == "sound"][:CLIPS]
    assert len(chosen) == CLIPS
    path = tmp_path_factory.mktemp("own") / "pairs.jsonl"
    lines = [{"audio": str(real / row["audio"]), "caption": row["captions"][:2]} for row in chosen]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt that fits into the tiny model's context."""
    path = tmp_path_factory.mktemp("prompts") / "brief.toml"
    path.write_text("""
name = "brief"
version = 1
style = "brief"
about = "for a model that knows next to nothing"
words = [2, 9]
most_captions = 1

[sampling]
temperature = 1.0
max_tokens = 12

[[message]]
role = "user"
content = "Say it again, with {certain}: {captions}"
""")
    return path


def words(table: Path, out: Path, settings: tuple[str, ...]) -> list[str]:
    """The command line."""
    return ["build", "folder", "--from", str(table), "--out", str(out), "--enrich", "vllm", "--cluster", "none",
            "--quiet", *(word for setting in settings for word in ("--set", setting))]  # fmt: skip


def stored(answers: Path) -> int:
    """Answers that are on disk."""
    lines = sum(path.read_bytes().count(b"\n") for path in answers.glob("*.journal"))
    return lines + sum(pl.read_parquet(path).height for path in answers.glob("*.parquet"))


def test_real_sounds_are_heard_nonsense_about_them_is_rejected_and_a_killed_build_goes_on(
    table: Path, tmp_path: Path, model: Path, ast_folder: Path, brief: Path, python: Path
) -> None:
    out = tmp_path / "build"
    line = words(table, out, (
        f"Events.model={ast_folder}", "Events.top=3", f"Enrich.model={model}", f"Enrich.prompts={brief}",
        f"Enrich.python={python}", "Enrich.context=512",
    ))  # fmt: skip
    run = subprocess.Popen([sys.executable, "-m", "captionstew", *line], start_new_session=True)
    answers, ends = out / "work" / "enrich" / "answers", time.monotonic() + 300
    while run.poll() is None and not stored(answers):
        assert time.monotonic() < ends
        time.sleep(0.002)
    assert run.poll() is None, "it ended before anybody could kill it"
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    before = stored(answers)
    assert 0 < before < 2 * CLIPS  # what was answered is there; some of it was asked a second time
    assert not (out / "manifest.json").exists()
    assert main(line) == 0
    assert validate(out).passed
    assert not list(answers.glob("*.journal"))
    rows = pl.concat([pl.read_parquet(path) for path in sorted(answers.glob("*.parquet"))])
    assert rows["key"].is_unique().all()
    assert rows.height > before
    told = pl.read_parquet(out / "enrich" / "provenance.parquet")
    assert told.height == CLIPS
    assert told["error"].null_count() == CLIPS
    assert told["detector"].unique().to_list() == [Detector(str(ast_folder)).label]
    assert (told["events"].list.len() > 0).all()
    rejected = told.filter(pl.col("verdict") != "kept")
    assert rejected.height >= CLIPS - 2  # that a random model says something true is an accident
    assert rejected["verdict"].n_unique() > 2
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    (account,) = [
        one for one in manifest["accounting"] if (one["stage"], one["corpus"]) == ("guard.captions", "llm")
    ]
    assert account["received"] == CLIPS == account["kept"] + sum(account["drops"].values())
    (enriched,) = manifest["enrichment"]
    assert enriched["asked"] == CLIPS
    assert sum(enriched["rejected"].values()) >= rejected.height
    first = {path: path.read_bytes() for path in out.glob("data/*/*/*.parquet")}
    assert main(line) == 0
    assert {path: path.read_bytes() for path in out.glob("data/*/*/*.parquet")} == first
