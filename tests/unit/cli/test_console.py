"""The result goes to stdout, the story to stderr, colour only where somebody looks."""

import io
import json

import pytest

from captionstew.cli.console import TICK, Console, colourful, visible
from captionstew.cli.table import Column
from captionstew.errors import CorpusError


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_needs_a_terminal_that_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colourful(Terminal())
    assert not colourful(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colourful(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not colourful(Terminal())


def test_marks_are_coloured_in_tables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout", screen)
    Console().rows((Column(""), Column("")), [(TICK, "done")])
    assert screen.getvalue() == f"  \x1b[32m{TICK}\x1b[0m  done\n"


def test_text_of_others_cannot_act_on_the_terminal() -> None:
    assert visible("a\x1b[2Jb\nc\u202ed") == "a\\x1b[2Jb c\\x202ed"


def test_json_silences_the_result_for_people_and_quiet_the_story(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True, quiet=True)
    console.say("for people")
    console.tell("a story")
    console.next("captionstew doctor")
    console.data({"n": 1})
    out, err = capsys.readouterr()
    assert json.loads(out) == {"n": 1}
    assert err == ""


def test_every_part_of_an_error_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    Console().fault(
        CorpusError("clotho is missing", cause="no file\nnor folder", where="/data", hint="get it\nor not"), 1
    )
    assert capsys.readouterr().err.splitlines() == [
        "error: clotho is missing",
        "  cause: no file",
        "    nor folder",
        "  where: /data",
        "  hint: get it",
        "  hint: or not",
    ]
