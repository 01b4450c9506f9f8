"""inspect: rows, columns, one clip."""

import json
from pathlib import Path

import pytest

from captionstew.schema import schema

from .conftest import NUM_SOUNDS, Cli


def test_rows_are_shown_in_order_with_their_first_caption(cli: Cli, built: Path) -> None:
    lines = cli("inspect", built).out.splitlines()
    rows = [line for line in lines if line.strip().startswith("folder:")]
    assert [row.split("  ")[1] for row in rows] == [f"folder:tune {n}.wav" for n in range(NUM_SOUNDS)]
    assert rows[2].endswith("A tune of number 2")


def test_a_few_rows_are_spread_over_all(cli: Cli, built: Path) -> None:
    rows = json.loads(cli("inspect", built, "--limit", 2, "--json").out)["rows"]
    assert [row["clip_id"] for row in rows] == ["folder:tune 0.wav", "folder:tune 3.wav"]


def test_the_schema_explains_every_column(cli: Cli, built: Path) -> None:
    said = cli("inspect", built, "--schema")
    assert all(column.doc in said.out for column in schema("clip.v1").columns)
    assert len(json.loads(cli("inspect", built, "--schema", "--json").out)["columns"]) == len(
        schema("clip.v1").columns
    )


def test_a_clip_is_shown_with_waveform_captions_measures_and_license(cli: Cli, built: Path) -> None:
    said = cli("inspect", built, "--clip", "folder:tune 1.wav")
    assert said.code == 0
    for text in (
        "1.500 s",
        "flac 16,000 Hz",
        "A tune of number 1   [human folder]",
        "LUFS",
        "license      unknown",
    ):
        assert text in said.out
    assert "\u2588" in said.out or "\u2587" in said.out
    facts = json.loads(cli("inspect", built, "--clip", "folder:tune 1.wav", "--json").out)
    assert facts["num_samples"] == 24_000
    assert facts["audio"]["path"] == "folder-tune-1.wav.flac"


def test_a_misspelt_id_is_answered_with_those_alike(cli: Cli, built: Path) -> None:
    for given in ("tune 4", "folder:tune4.wav"):
        said = cli("inspect", built, "--clip", given)
        assert said.code == 1
        assert "did you mean 'folder:tune 4.wav'" in said.err


def test_an_id_like_no_other_is_answered_with_where_ids_are_listed(cli: Cli, built: Path) -> None:
    said = cli("inspect", built, "--clip", "?")
    assert (said.code, f"captionstew inspect {built}" in said.err) == (1, True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that takes no files, whoever asks")
def test_a_picture_that_cannot_be_written_is_said(cli: Cli, built: Path) -> None:
    pytest.importorskip("matplotlib")
    said = cli("inspect", built, "--clip", "folder:tune 1.wav", "--png", "/proc/x.png")
    assert (said.code, "choose another with --png" in said.err) == (1, True)


def test_what_is_there_in_place_of_a_build_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    (tmp_path / "run" / "ledger.jsonl").write_text('{"event": "began"}\n')
    for name, cause in (("notes.txt", "it is a file"), ("run", "it is a run of captionstew train")):
        for words in (["status"], ["enrich", "audit"]):
            said = cli(*words, name)
            assert (said.code, f"cause: {cause}" in said.err) == (1, True)


def test_an_unfinished_build_cannot_be_inspected(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.json").write_text('{"recipe": "folder", "stages": []}')
    said = cli("inspect", "out")
    assert said.code == 1
    assert "captionstew status out" in said.err
