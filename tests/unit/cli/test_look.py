"""doctor, corpora, recipes: what there is."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from captionstew.cli.table import cell_width
from captionstew.corpora.facts import corpora, corpus
from captionstew.recipe import recipe, recipe_file, recipes
from captionstew.training import runs

from .conftest import Cli

KNOWN = [facts.name for facts in corpora() if facts.name != "folder"]


def test_doctor_has_a_line_per_ability_and_tries_the_codecs(cli: Cli) -> None:
    said = cli("doctor")
    assert "wav flac ogg opus mp3" in said.out
    facts = json.loads(cli("doctor", "--json").out)
    assert {one["name"] for one in facts["abilities"]} >= {"encode FLAC", "run on Ray", "disk", "memory"}
    assert facts["cores"] >= 1
    assert facts["memory"] > 1e8


def test_doctor_names_the_fix_for_what_is_missing() -> None:
    code = "import sys; sys.modules['pyflac'] = None; from captionstew.cli.main import main; sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "encode FLAC" in line]
    assert line.strip().startswith("\u2717")
    assert "pip install 'captionstew[build]'" in line
    assert done.stdout.rstrip().endswith("Next: pip install 'captionstew[build]'")


def test_corpora_lists_every_corpus_with_a_question_mark_where_nobody_knows(cli: Cli) -> None:
    lines = cli("corpora").out.splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if line.split()[:1] and line.split()[0] in KNOWN}
    assert list(rows) == KNOWN
    assert all(("?" in rows[name].split()) == (None in vars(corpus(name).size).values()) for name in KNOWN)
    assert [one["name"] for one in json.loads(cli("corpora", "--json").out)] == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_one_corpus_shows_its_citation_traps_files_and_what_is_unchecked(cli: Cli, name: str) -> None:
    facts, said = corpus(name), cli("corpora", name)
    assert said.code == 0
    for text in (facts.title, facts.homepage, *facts.traps, *facts.unchecked):
        assert text in said.out
    assert all(file.path[0] in said.out and (file.url or "") in said.out for file in facts.files)
    assert json.loads(cli("corpora", name, "--json").out)["license"] == json.loads(
        json.dumps(asdict(facts.license))
    )


def test_recipes_are_listed_and_shown_as_they_are_written(cli: Cli) -> None:
    assert [one["recipe"] for one in json.loads(cli("recipes", "--json").out)] == [*recipes(), *runs()]
    assert all(name in cli("recipes").out for name in recipes())
    assert cli("recipes", "show", "paper", "--quiet").out == recipe_file("paper").read_text(encoding="utf-8")
    shown = json.loads(cli("recipes", "show", "paper", "--json").out)
    assert [one["stage"] for one in shown["stages"]] == [
        type(stage).__name__ for stage in recipe("paper").stages
    ]


def test_a_copy_is_a_recipe_of_its_own_and_never_overwrites(cli: Cli, tmp_path: Path) -> None:
    assert cli("recipes", "copy", "paper", "mine.py").code == 0
    assert recipe(str(tmp_path / "mine.py")).identity() == recipe("paper").identity()
    again = cli("recipes", "copy", "stew", "mine.py")
    assert again.code == 1
    assert "mine.py exists already" in again.err
    assert cli("recipes", "copy", "stew", "mine").code == 2
    assert "needs a FILE" in cli("recipes", "copy", "stew").err


def test_a_copy_of_one_corpus_names_it(cli: Cli, tmp_path: Path) -> None:
    assert cli("recipes", "copy", "esc50", tmp_path).code == 0
    assert recipe(str(tmp_path / "esc50.py")) == recipe("esc50")


def test_nothing_is_wider_than_80_columns_in_a_terminal_of_80(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.cli.console.Console.width", 80)
    for words in (["corpora"], ["recipes"], ["corpora", "audiocaps", "--quiet"]):
        lines = [line for line in cli(*words).out.splitlines() if "http" not in line and "Next:" not in line]
        assert max(map(cell_width, lines)) <= 80
