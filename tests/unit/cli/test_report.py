"""report: the page of a build, from the command line."""

import json
import shutil
from pathlib import Path

import pytest

from .conftest import Cli


def test_a_page_is_written_and_the_command_says_where_how_large_and_what_next(
    cli: Cli, built: Path, tmp_path: Path
) -> None:
    said = cli("report", built, "--out", "page.html", "--clips", 2)
    page = tmp_path / "page.html"
    assert said.code == 0
    assert page.read_bytes().startswith(b"<!doctype html>")
    assert "page.html" in said.out
    assert "2 sounds" in said.out
    assert said.out.splitlines()[-1].startswith("Next: ")
    again = cli("report", built, "--out", "again.html", "--clips", 2, "--json", "--quiet")
    facts = json.loads(again.out)
    assert (facts["bytes"], facts["sounds"], facts["public"]) == (page.stat().st_size, 2, False)
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_a_build_keeps_its_page_and_a_release_stays_as_it_was_published(
    cli: Cli, built: Path, tmp_path: Path
) -> None:
    build, released = (Path(shutil.copytree(built, tmp_path / name)) for name in ("build", "released"))
    (released / "recipe.json").unlink()
    for folder, page in ((build, build / "report.html"), (released, tmp_path / "report.html")):
        assert cli("report", folder, "--clips", 1).code == 0
        assert page.is_file()
    assert not (released / "report.html").exists()
    (released / "README.md").write_text("A card.")
    assert cli("report", released, "--clips", 1).out.endswith(f"Next: captionstew inspect {released}\n")


def test_for_everybody_nothing_is_shown_that_nobody_gave_a_license_to(
    cli: Cli, built: Path, tmp_path: Path
) -> None:
    assert cli("report", built, "--out", "page.html", "--public", "--against", built).code == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "data:audio" not in page
    assert "A tune of number" not in page
    assert "0 clips added, 0 removed" in page


def test_what_cannot_be_reported_is_said_before_any_work(cli: Cli, built: Path, tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "recipe.json").write_text("{}")
    for words, code, hint in (
        (("begun",), 1, "captionstew status begun"),
        (("nowhere",), 1, "nowhere is no build"),
        ((built, "--against", "begun"), 1, "captionstew status begun"),
        ((built, "--clips", 121), 2, "--clips 120 at most"),
        ((built, "--clips", "many"), 2, "captionstew report --help"),
        ((built, "--out", tmp_path), 2, "report.html"),
    ):
        said = cli("report", *words)
        assert said.code == code
        assert hint in said.err


def test_missing_packages_are_named_with_their_remedy(
    cli: Cli, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.cli.report.find_spec", lambda name: None if name == "librosa" else name)
    said = cli("report", built)
    assert said.code == 1
    assert "not installed: librosa" in said.err
    assert "pip install 'captionstew[report]'   (in a checkout: make extra EXTRA=report)" in said.err
