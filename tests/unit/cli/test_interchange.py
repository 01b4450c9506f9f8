"""export --to and import as commands: what they say, and what they say when something is wrong."""

import json
from pathlib import Path

import polars as pl
import pytest

from captionstew.cli.resume import started
from captionstew.shards.read import Clips

from .conftest import NUM_SOUNDS, Cli


def hashes(build: Path) -> dict[str, str]:
    table = pl.scan_parquet(build / "data/audio/*/*.parquet").select("clip_id", "audio_sha256").collect()
    return dict(table.rows())


@pytest.mark.parametrize(
    ("audio", "manifest"),
    [("files", "cuts/folder-train-000000.jsonl.gz"), ("tar", "cuts/folder-train/cuts.000000.jsonl.gz")],
)
def test_a_build_comes_back_from_lhotse_as_it_was(audio: str, manifest: str, built: Path, cli: Cli) -> None:
    said = cli("export", built, "--to", "lhotse", "--audio", audio, "--out", "cuts")
    assert said.code == 0, said.err
    assert f"{NUM_SOUNDS} clips" in said.out
    assert said.out.endswith("Next: less cuts/README.md\n")
    said = cli("import", manifest, "--name", "back", "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert (facts["cuts"], facts["clips"], facts["captions"]) == (NUM_SOUNDS, NUM_SOUNDS, NUM_SOUNDS)
    assert (facts["refused"], facts["passed"], facts["out"]) == ({}, True, "build/back")
    assert hashes(Path("build/back")) == hashes(built)
    before, after = Clips(built), Clips(Path("build/back"))
    assert [after.captions(n) for n in range(NUM_SOUNDS)] == [before.captions(n) for n in range(NUM_SOUNDS)]
    assert cli("validate", "build/back").code == 0
    assert str(started(Path("build/back"))) == f"captionstew import {manifest} --out build/back"


def test_bad_cuts_are_counted_and_listed_by_line(built: Path, cli: Cli) -> None:
    cli("export", built, "--to", "lhotse", "--audio", "files", "--out", "cuts")
    import gzip

    lines = gzip.decompress(Path("cuts/folder-train-000000.jsonl.gz").read_bytes()).decode().splitlines()
    hostile = lines[0].replace('"type": "file"', '"type": "command"')
    Path("cuts/mixed.jsonl").write_text("\n".join([*lines[1:], "{", hostile, '{"tracks": []}', ""]))
    said = cli("import", "cuts/mixed.jsonl", "--out", "mixed")
    assert said.code == 0, said.err
    assert "refused: json 1, mixed 1, source 1" in said.out
    drops = pl.read_parquet("mixed/drops/read/folder.parquet").sort("reason").rows()
    assert [(reason, detail.partition(": ")[0]) for _, reason, detail in drops] == [
        ("json", f"mixed.jsonl, line {NUM_SOUNDS}"),
        ("mixed", f"mixed.jsonl, line {NUM_SOUNDS + 2}"),
        ("source", f"mixed.jsonl, line {NUM_SOUNDS + 1}"),
    ]
    account = json.loads(Path("mixed/manifest.json").read_text())["accounting"][0]
    assert (account["received"], account["kept"]) == (NUM_SOUNDS + 2, NUM_SOUNDS - 1)


def test_a_build_must_be_told_as_what(built: Path, cli: Cli) -> None:
    said = cli("export", built)
    assert (said.code, said.out) == (2, "")
    assert "is a build, not a run" in said.err
    assert "--to lhotse" in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "lhotse", "--encoder"], "--encoder is for a run"),
        (["--to", "webdataset", "--audio", "files"], "webdataset has no --audio files"),
        (["--to", "jsonl", "--corpus", "foldr"], "did you mean `folder`"),
        (["--to", "numpy"], "invalid choice"),
        (["--subset", "1m"], "--subset is for a build"),
    ],
)
def test_options_that_make_no_sense_are_told(words: list[str], says: str, built: Path, cli: Cli) -> None:
    said = cli("export", built, *words, "--out", "somewhere")
    assert said.code in {1, 2}
    assert says in said.err
    assert not Path("somewhere").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere.jsonl"], 1, "there is no such file"),
        (["cuts.jsonl", "--license", "free for all"], 2, "is no license"),
        (["cuts.jsonl", "--audio-root", "nowhere"], 1, "there is no folder nowhere"),
        (["cuts.jsonl", "--name", "../x"], 2, "no name for a folder"),
        (["cuts.jsonl"], 1, "no cut can be used"),
    ],
)
def test_an_import_that_cannot_be_is_told_first(words: list[str], code: int, says: str, cli: Cli) -> None:
    Path("cuts.jsonl").write_text("{}\n")
    said = cli("import", *words)
    assert said.code == code
    assert says in said.err
    assert "hint:" in said.err


@pytest.mark.parametrize("name", ["cuts.jsonl", "cuts.jsonl.gz"])
def test_a_build_of_cuts_points_to_import(name: str, cli: Cli) -> None:
    Path(name).write_text('{"id": "1", "recording": {"id": "1"}, "supervisions": []}\n')
    said = cli("build", "folder", "--from", name)
    assert said.code == 1
    assert f"captionstew import {Path.cwd() / name}" in said.err


def test_the_folder_of_an_export_is_no_build(built: Path, cli: Cli) -> None:
    assert cli("export", built, "--to", "jsonl", "--audio", "none", "--out", "out").code == 0
    said = cli("status", "out")
    assert said.code == 1
    assert "nothing was built in it" in said.err


def test_a_release_elsewhere_needs_a_place_here(cli: Cli) -> None:
    said = cli("export", "hf://datasets/a/b", "--to", "jsonl")
    assert said.code == 2
    assert "say where to write: --out DIR" in said.err
