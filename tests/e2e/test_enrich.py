"""A build with captions of a language model behind the loopback: seen, stopped, resumed, checked."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest

from captionstew.cli.main import main
from captionstew.enrich.detector import Detector
from captionstew.enrich.generators import generators
from captionstew.enrich.provenance import caption_hash, kept
from captionstew.shards.manifest import read_manifest
from captionstew.shards.validate import validate

MODEL = "tiny/instruct"
SHY = "tiny/shy"  # refuses whatever it is asked
CLIPS = 30


class Model(BaseHTTPRequestHandler):
    """Says the first caption again in words of its own, or now and then what a guard must not let pass."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[dict[str, Any]]] = []
    seconds: ClassVar[float] = 0.0
    lock: ClassVar[threading.Lock] = threading.Lock()

    def log_message(self, *_: object) -> None:
        """Nothing is said."""

    def do_GET(self) -> None:
        """The models."""
        self._reply({"data": [{"id": MODEL}, {"id": SHY}]})

    def do_POST(self) -> None:
        """A caption."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "seed" not in body:  # whether it takes a chat at all
            self._reply({"choices": [{"message": {"content": "Yes"}, "finish_reason": "length"}]})
            return
        with self.lock:
            self.bodies.append(body)
        time.sleep(self.seconds)
        text = caption(body["messages"][-1]["content"], 0 if body["model"] == SHY else body["seed"])
        usage = {"prompt_tokens": 100, "completion_tokens": len(text.split())}
        message = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self._reply({"choices": [message], "usage": usage})

    def _reply(self, facts: dict[str, Any]) -> None:
        content = json.dumps(facts).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except ConnectionError:  # whoever asked was killed
            self.close_connection = True


def caption(about: str, seed: int) -> str:
    """What the model says: by what it is asked and the seed alone."""
    first = next(line[2:] for line in about.splitlines() if line.startswith("- "))
    if seed % 5 == 0 or "thunder" in first:
        return "I'm sorry, but as an AI language model I cannot hear audio."
    return f"There, {first[0].lower()}{first[1:].rstrip('.')}, as can be heard."


@pytest.fixture
def model() -> Iterator[str]:
    """The address of the model."""
    Model.bodies.clear()
    Model.seconds = 0.0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def table(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real clips with the captions that people wrote."""
    rows = [json.loads(line) for line in (real / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    chosen = [row for row in rows if row["domain"] == "sound"][:CLIPS]
    path = tmp_path_factory.mktemp("own") / "pairs.jsonl"
    lines = [{"audio": str(real / row["audio"]), "caption": row["captions"][:2]} for row in chosen]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def words(table: Path, out: Path, where: str, *more: str) -> list[str]:
    """The command line of such a build."""
    settings = (
        "Events.model=",
        f"Enrich.model={MODEL}",
        "Enrich.prompts=rewrite_short",
        "Enrich.concurrency=2",
    )
    return ["build", "folder", "--from", str(table), "--out", str(out), "--enrich", where, "--cluster", "none",
            *(word for setting in settings for word in ("--set", setting)), *more]  # fmt: skip


def shards(out: Path) -> dict[str, bytes]:
    """Every file of the release, by its path, and the provenance beside them."""
    paths = [*out.glob("data/*/*/*.parquet"), out / "manifest.json", out / "enrich" / "provenance.parquet"]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def captions(out: Path) -> list[dict[str, Any]]:
    """All captions of all clips, with the id of their clip."""
    rows = pl.read_parquet([*out.glob("data/*/*/*.parquet")], columns=["clip_id", "captions"])
    return [{"clip_id": clip, **one} for clip, several in rows.iter_rows() for one in several]


def test_kept_captions_flow_into_the_shards_with_their_provenance(
    table: Path, tmp_path: Path, model: str, ast_folder: Path
) -> None:
    out, doubt = tmp_path / "build", tmp_path / "doubt.toml"
    doubt.write_text("least_certain = 1.0\n")  # what a random detector hears need not be said
    heard = (f"Events.model={ast_folder}", f"Events.thresholds={doubt}", f"Guard.thresholds={doubt}")
    line = words(table, out, model, "--quiet")
    assert main([*line, *(word for setting in heard for word in ("--set", setting))]) == 0
    assert validate(out).passed
    found = captions(out)
    made = [one for one in found if one["source"] == "llm"]
    assert CLIPS / 2 < len(made) < CLIPS
    assert not any("thunder" in one["text"] for one in made)
    assert not any("AI language model" in one["text"] for one in found)
    told = pl.read_parquet(out / "enrich" / "provenance.parquet")
    originals = {(one["clip_id"], caption_hash(one["text"])) for one in found if one["source"] != "llm"}
    for one in made:
        (row,) = told.filter(clip_id=one["clip_id"], prompt=one["prompt"], text=one["text"]).to_dicts()
        assert row["verdict"] == "kept"
        assert row["parents"]
        assert row["detector"] == Detector(str(ast_folder)).label
        assert {event["label"] for event in row["events"]} >= {*row["possible"]} > {*row["certain"]} == set()
        assert all((one["clip_id"], parent) in originals for parent in row["parents"])
        sent = [body for body in Model.bodies if body["seed"] == row["seed"]]
        assert len(sent) == 1
        assert one["model"] == MODEL
    (generator,) = generators(read_manifest(out).enrichment)
    assert (generator.captions, generator.forbids) == (
        len(made),
        True,
    )  # nobody knows the license of tiny/instruct
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    (enriched,) = manifest["enrichment"]
    assert (enriched["asked"], enriched["passed"]) == (CLIPS, len(made))
    assert enriched["rejected"]["refusal"] > 0
    (account,) = [
        one for one in manifest["accounting"] if (one["stage"], one["corpus"]) == ("guard.captions", "llm")
    ]
    assert account["received"] == CLIPS == account["kept"] + sum(account["drops"].values())


def test_what_was_kept_loads_as_a_data_set_of_its_own_and_joins_the_shards(
    table: Path, tmp_path: Path, model: str
) -> None:
    datasets = pytest.importorskip("datasets")
    out, file = tmp_path / "build", tmp_path / "enriched.parquet"
    assert main(words(table, out, model, "--quiet", "--limit", "10")) == 0
    kept(out / "enrich" / "provenance.parquet").sink_parquet(file)
    rows = datasets.load_dataset(
        "parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache")
    )
    found = {(one["clip_id"], one["text"]) for one in captions(out) if one["source"] == "llm"}
    assert {(row["clip_id"], row["text"]) for row in rows} == found
    assert all(row["license"] and row["key"] and row["parents"] and row["split"] == "train" for row in rows)


def test_people_judge_a_blind_sheet_and_are_told_how_far_they_agree(
    table: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, sheet = tmp_path / "build", tmp_path / "sheet.csv"
    assert main(words(table, out, model, "--quiet")) == 0
    capsys.readouterr()
    assert main(["enrich", "audit", str(out), "--n", "20", "--out", str(sheet), "--quiet"]) == 0
    assert "20 captions to judge" in capsys.readouterr().out
    assert (
        main(["enrich", "audit", str(out), "--out", str(sheet), "--quiet"]) == 2
    )  # it may be filled in already
    text = sheet.read_text("utf-8-sig")
    assert "kept" not in text
    assert "refusal" not in text
    rows = list(csv.DictReader(text.splitlines()))
    assert all(row["before"] and row["after"] for row in rows)
    people = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for place, path in enumerate(people):
        for number, row in enumerate(rows):
            odd = place and number == 0
            row["right"] = "no" if odd or "AI language model" in row["after"] else "yes"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    capsys.readouterr()
    assert main(["enrich", "audit", str(out), "--read", *map(str, people), "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["judged"] == 20
    assert found["pairs"][0]["captions"] == 20
    assert found["pairs"][0]["kappa"] < 1.0
    assert {one["verdict"] for one in found["rates"]} >= {"kept", "rejected", "refusal"}
    assert main(["enrich", "audit", str(out), "--read", *map(str, people), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "Cohen's kappa 0." in shown
    assert "95 % interval" in shown


def test_captions_and_labels_alone_are_enriched_without_any_audio(
    real: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "clotho"
    place.mkdir()
    for path in (real / "annotations" / "clotho").glob("*.csv"):
        (place / path.name).symlink_to(path)
    line = ["clotho", "--audio", f"clotho={place}", "--out", str(tmp_path / "build"), "--enrich", model,
            "--limit", "12", "--offline", "--set", f"Enrich.model={MODEL}",
            "--set", "Enrich.prompts=rewrite_short"]  # fmt: skip
    assert main(["enrich", "captions", *line, "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["captions"] == found["clips"] > 0
    rows = pl.read_parquet(found["file"])
    assert set(rows["corpus"]) == {"clotho"}
    assert rows["detector"].unique().to_list() == ["labels of the corpora"]
    asked = len(Model.bodies)
    assert main(["enrich", "captions", *line, "--quiet"]) == 0
    assert len(Model.bodies) == asked  # all answers were there
    assert pl.read_parquet(found["file"]).equals(rows)


@pytest.mark.parametrize("command", ["build", "plan"])
def test_who_cannot_be_asked_is_told_before_any_clip_is_opened(
    table: Path, tmp_path: Path, model: str, command: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-weights").mkdir()
    (tmp_path / "no-weights" / "config.json").write_text("{}")
    out = tmp_path / "build"
    line = words(table, out, model)[1:]
    cases = [
        (["--enrich", "http://127.0.0.1:9"], "no language model answers"),
        (["--set", "Enrich.model=tiny/instrcut"], "the server has no model 'tiny/instrcut'"),
        (["--set", f"Events.model={tmp_path / 'no-weights'}"], "holds no weights"),
        (
            ["--enrich", "transformers", "--set", f"Enrich.model={tmp_path / 'no-weights'}"],
            "this is no language model",
        ),
    ]
    for more, problem in cases:
        assert main([command, *line, *more]) == 1
        assert problem in capsys.readouterr().err
    assert not out.exists()
    assert not Model.bodies


def test_a_build_that_was_killed_goes_on_asks_for_what_is_missing_and_leaves_the_same_bytes(
    table: Path, tmp_path: Path, model: str
) -> None:
    calm, wild = tmp_path / "calm", tmp_path / "wild"
    assert main(words(table, calm, model, "--quiet")) == 0
    asked = [body["seed"] for body in Model.bodies]
    Model.bodies.clear()
    Model.seconds = 0.08
    for stop in (5, 12, 20):
        kill_when_asked(words(table, wild, model), stop)
    assert not (wild / "manifest.json").exists()
    Model.seconds = 0.0
    assert main(words(table, wild, model, "--quiet")) == 0
    again = [body["seed"] for body in Model.bodies]
    assert set(again) == set(asked)
    assert len(again) <= len(asked) + 3 * 20  # what the engine had read ahead at each kill: twice 2, and 16
    assert shards(wild) == shards(calm)
    assert not list((wild / "work" / "enrich" / "answers").glob("*.journal"))


def kill_when_asked(line: list[str], count: int) -> None:
    """Start the build and kill it as soon as the model was asked so often in all."""
    run = subprocess.Popen([sys.executable, "-m", "captionstew", *line], stderr=subprocess.PIPE,
                           start_new_session=True)  # fmt: skip
    ends = time.monotonic() + 120
    while len(Model.bodies) < count and run.poll() is None and time.monotonic() < ends:
        time.sleep(0.005)
    assert run.poll() is None, run.stderr and run.stderr.read().decode()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert run.stderr is not None
    run.stderr.close()


def test_another_prompt_asks_again_and_an_edit_elsewhere_does_not(
    table: Path, tmp_path: Path, model: str
) -> None:
    out = tmp_path / "build"
    assert main(words(table, out, model, "--quiet", "--limit", "8")) == 0
    first = {one["text"] for one in captions(out) if one["source"] == "llm"}
    Model.bodies.clear()
    assert main(words(table, out, model, "--quiet", "--limit", "8", "--set", "Guard.most_words=12")) == 0
    assert not any(body["seed"] is None for body in Model.bodies)
    known = len(list((out / "work" / "enrich" / "answers").glob("*.parquet")))
    Model.bodies.clear()
    assert (
        main(words(table, out, model, "--quiet", "--limit", "8", "--set", "Enrich.prompts=rewrite_detailed"))
        == 0
    )
    assert len(Model.bodies) >= 8
    assert len(list((out / "work" / "enrich" / "answers").glob("*.parquet"))) > known  # the old answers stay
    Model.bodies.clear()
    assert main(words(table, out, model, "--quiet", "--limit", "8")) == 0
    assert not Model.bodies
    assert {one["text"] for one in captions(out) if one["source"] == "llm"} == first


def test_without_a_model_a_build_has_no_trace_of_enrichment(table: Path, tmp_path: Path, model: str) -> None:
    out = tmp_path / "build"
    assert main(words(table, out, model, "--quiet", "--limit", "4")) == 0
    assert main(["build", "folder", "--from", str(table), "--out", str(out), "--limit", "4", "--quiet"]) == 0
    assert validate(out).passed
    assert not list(out.glob("enrich/*.parquet"))
    assert not [one for one in captions(out) if one["source"] == "llm"]


def test_a_sample_shows_before_events_after_and_verdict_and_touches_no_build(
    table: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "build"
    line = words(table, out, model)[1:]
    assert main(["enrich", "sample", *line, "--n", "5"]) == 0
    shown = capsys.readouterr().out
    for word in ("before", "events", "after", "verdict", "kept", "5 clips"):
        assert word in shown
    assert not out.exists()
    assert main(["enrich", "sample", *line, "--n", "5", "--json", "--quiet"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 5
    assert all(row["before"] and row["reason"] for row in rows)


def test_two_prompts_are_compared_on_the_same_clips(
    table: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = words(table, tmp_path / "build", model)[1:]
    way = ["enrich", "compare", "rewrite_short", "rewrite_detailed", *line, "--n", "10", "--json", "--quiet"]
    assert main(way) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 10
    assert {one["name"] for one in found["figures"]} >= {"kept", "words", "unsupported sounds"}
    assert all(0 <= one["p"] <= 1 for one in found["figures"])


def test_two_models_are_compared_on_the_same_clips(
    table: Path, tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (MODEL, SHY):
        facts = {"urls": [model], "model": name, "revision": ""}
        (tmp_path / f"{name.rpartition('/')[2]}.json").write_text(json.dumps(facts), encoding="utf-8")
    ways = [f"@{tmp_path / 'instruct.json'}", f"@{tmp_path / 'shy.json'}"]
    line = ["folder", "--from", str(table), "--out", str(tmp_path / "build"), "--set", "Events.model=",
            "--set", "Enrich.prompts=rewrite_short"]  # fmt: skip
    assert main(["enrich", "compare", *ways, *line, "--n", "10", "--json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = next(one for one in found["figures"] if one["name"] == "kept")
    assert (found["clips"], kept["second"]) == (10, 0.0)
    assert kept["first"] > 0.5
    assert {body["model"] for body in Model.bodies} == {MODEL, SHY}
    assert not (tmp_path / "build").exists()


def test_a_plan_says_what_enrichment_takes_or_that_it_is_off(
    table: Path,
    tmp_path: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = words(table, tmp_path / "build", model)[1:]
    assert main(["plan", *line]) == 0
    shown = capsys.readouterr().out
    assert f"{MODEL}: about" in shown
    assert "tokens to read" in shown
    assert "of one GPU at" in shown
    assert not Model.bodies
    assert (
        main(["plan", "stew", "--offline", "--out", str(tmp_path / "stew"), "--only", "clotho"]) == 1
    )  # no audio here
    assert main(["enrich", "sample", "folder", "--from", str(table), "--out", str(tmp_path / "b")]) == 2
    assert "no language model is named" in capsys.readouterr().err
