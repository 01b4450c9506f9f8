"""Exports: complete, the same bytes however often they are stopped, and nothing of an earlier one."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from captionstew.errors import BuildError, StewError
from captionstew.interchange.choose import Choice
from captionstew.interchange.export import Exported, export
from captionstew.interchange.form import Form
from captionstew.interchange.jsonl import Jsonl
from captionstew.interchange.lhotse import Lhotse
from captionstew.interchange.webdataset import WebDataset
from captionstew.pipeline.ledger import Entry, Ledger, Output
from captionstew.pipeline.progress import Event

FORMS = [Lhotse("tar"), Lhotse("files"), WebDataset("tar"), Jsonl("files"), Jsonl("none")]
every_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.name}-{form.audio}")


class Stop(Exception):
    """The power went."""


def bytes_of(out: Path) -> dict[str, str]:
    """Every file of an export by its hash, but for the ledger, which has times."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name not in {"ledger.jsonl", ".lock"}
    }


def stopping(after: int) -> Callable[[Event], None]:
    """Ends an export with its `after`-th shard."""

    def watch(event: Event) -> None:
        if event.done == after:
            raise Stop

    return watch


@every_form
def test_a_stopped_export_goes_on_to_the_same_bytes(form: Form, build: Path, tmp_path: Path) -> None:
    whole = export(build, tmp_path / "whole", form, shard_clips=25)
    assert (whole.done, whole.plan.num_clips) == (4, 70)
    with pytest.raises(Stop):
        export(build, tmp_path / "stopped", form, shard_clips=25, watch=stopping(2))
    again = export(build, tmp_path / "stopped", form, shard_clips=25)
    assert again.done == 2
    assert bytes_of(tmp_path / "stopped") == bytes_of(tmp_path / "whole")
    assert export(build, tmp_path / "stopped", form, shard_clips=25).done == 0


@every_form
def test_a_damaged_or_missing_file_is_written_again(form: Form, build: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(build, out, form, shard_clips=25)
    before = bytes_of(out)
    data = sorted(path for path in out.rglob("*") if path.suffix in {".tar", ".gz", ".jsonl", ".flac"})
    data = [path for path in data if path.name != "ledger.jsonl"]
    data[0].unlink()
    last = [path for path in data if path.suffix != ".flac"][-1]
    last.write_bytes(last.read_bytes()[:-1])
    assert 1 <= export(build, out, form, shard_clips=25).done <= 2
    assert bytes_of(out) == before


def test_another_form_or_size_leaves_nothing_of_the_first(build: Path, tmp_path: Path) -> None:
    for form in (*FORMS, FORMS[0]):
        export(build, tmp_path / "out", form, shard_clips=25)
        export(build, tmp_path / "out", form, shard_clips=40)
        export(build, tmp_path / form.name / form.audio, form, shard_clips=40)
        assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / form.name / form.audio)


def test_what_is_written_is_what_was_received(build: Path, tmp_path: Path, rows: dict[str, Any]) -> None:
    choice = Choice(corpora=("tones",), subset="4m")
    export(build, tmp_path, Jsonl("none"), choice, 25)
    ids = [json.loads(line)["clip_id"] for path in sorted(tmp_path.glob("t*.jsonl")) for line in path.open()]
    meant = [
        clip_id
        for clip_id, row in rows.items()
        if row["corpus"] == "tones" and row["subset"] in {"400k", "1m", "4m"}
    ]
    assert 0 < len(meant) < 60
    assert ids == meant
    facts = json.loads((tmp_path / "export.json").read_text())
    assert facts["received"] == 70
    assert facts["left_out"] == {"corpus": 10, "split": 0, "subset": 60 - len(meant)}
    assert facts["written"] == len(meant) == sum(facts["licenses"].values())
    assert sum(split["captions"] for split in facts["splits"]) == sum(len(rows[i]["captions"]) for i in meant)
    page = (tmp_path / "README.md").read_text()
    assert f"{len(meant)} clips" in page
    assert "| tones | train | `CC-BY-4.0` |" in page


def test_a_subset_leaves_val_and_test_alone(build: Path, tmp_path: Path) -> None:
    made = export(build, tmp_path, Jsonl("none"), Choice(corpora=("beeps",), subset="400k"))
    assert made.plan.num_clips == 10


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (Choice(corpora=("tonse",)), r"--corpus tonse.*did you mean `tones`"),
        (Choice(splits=("test",)), r"--split test.*one of: train, val"),
        (Choice(subset="3m"), r"--subset 3m.*one of: 400k"),
        (Choice(corpora=("tones",), splits=("val",)), r"no clip is chosen"),
    ],
)
def test_a_choice_of_nothing_is_told(choice: Choice, says: str, build: Path, tmp_path: Path) -> None:
    with pytest.raises(StewError, match=says):
        export(build, tmp_path / "out", Jsonl("none"), choice)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(build: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(BuildError, match=r"not empty and no export"):
        export(build, tmp_path, Jsonl("none"))
    with pytest.raises(BuildError, match=r"not empty and no export"):
        export(build, build, Jsonl("none"))


def test_files_of_somebody_else_are_never_replaced(build: Path, tmp_path: Path) -> None:
    for name in ("README.md", "ledger.jsonl"):  # of a checkout; of a run of training
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text('{"event": "began"}\n')
        with pytest.raises(BuildError, match=r"not empty and no export"):
            export(build, tmp_path / name, Jsonl("none"))
        assert (tmp_path / name / name).read_text() == '{"event": "began"}\n'


def test_a_build_that_has_only_begun_loses_nothing(build: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "clips.parquet").write_text("an hour's work")
    outputs = {"clips.parquet": Output.of(begun / "clips.parquet")}
    Ledger(begun).add(Entry("read", "all", "f", 1, 1, {}, outputs, 1.0))
    with pytest.raises(BuildError, match=r"not empty and no export"):
        export(build, begun, Jsonl("none"))
    assert (begun / "clips.parquet").is_file()


def test_a_file_is_no_folder_to_write_to(build: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(BuildError, match=r"out cannot be a folder"):
        export(build, tmp_path / "out", Jsonl("none"))
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("form", "package"), [(Jsonl(), "polars"), (WebDataset(), "webdataset"), (Lhotse(), "lhotse")]
)
def test_the_lines_in_the_readme_run_as_they_stand(
    form: Form, package: str, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(package)
    export(build, tmp_path, form)
    monkeypatch.chdir(tmp_path)
    lines = (tmp_path / "README.md").read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    told: dict[str, Any] = {}
    exec(lines, told)
    assert len(told["clips"]) == 70 if "clips" in told else len(told["samples"]) and told["captions"]


def test_audio_that_no_other_tool_reads_becomes_flac(
    make_build: Callable[..., Path], build: Path, tmp_path: Path
) -> None:
    from captionstew.audio.codec import decode_pcm

    coded = make_build(tmp_path / "build", codec="pcm-zstd", clips=20)
    made: Exported = export(coded, tmp_path / "out", Jsonl("files"), Choice(corpora=("tones",)))
    lines = [json.loads(line) for line in (tmp_path / "out" / "tones-train-000000.jsonl").open()]
    assert made.plan.num_clips == len(lines) == 20
    for line in lines:
        assert (line["codec"], line["audio"][-5:]) == ("flac", ".flac")
        pcm, _ = decode_pcm((tmp_path / "out" / line["audio"]).read_bytes(), "flac")
        assert hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest() == line["audio_sha256"]


def test_numbers_of_32_bits_are_short(build: Path, tmp_path: Path) -> None:
    export(build, tmp_path, Jsonl("none"))
    line = next((tmp_path / "beeps-val-000000.jsonl").open())
    assert '"loudness": -23.45,' in line
    assert json.loads(line)["fingerprint"] == bytes([100] * 8).hex()


def test_a_release_behind_a_url_is_exported_the_same(
    build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("aiohttp", reason="https:// needs aiohttp")
    from ..shards.test_remote import Site

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site = Site(build)
    try:
        export(f"{site.url}/plain", tmp_path / "far", WebDataset(), shard_clips=25)
    finally:
        site.server.shutdown()
        site.server.server_close()
    export(build, tmp_path / "near", WebDataset(), shard_clips=25)
    assert bytes_of(tmp_path / "far") == bytes_of(tmp_path / "near")
