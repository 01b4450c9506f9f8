"""How far long work is: a line now and then in a log, one that counts where somebody looks."""

import pytest

from captionstew.cli.console import Console
from captionstew.cli.counting import Counting


def _count(seconds: list[float], monkeypatch: pytest.MonkeyPatch, *, quiet: bool = False) -> Counting:
    """Counts at these seconds after it began."""
    clock = iter([0.0, *seconds])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    made = Counting(Console(quiet=quiet))
    for number, _ in enumerate(seconds, 1):
        made(lambda number=number: f"{number} of 9")  # type: ignore[misc]
    made.over()
    return made


def test_a_log_has_a_line_every_half_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _count([1.0, 29.9, 31.0, 60.9, 61.0], monkeypatch)
    assert capsys.readouterr().err == "  3 of 9\n  5 of 9\n"


def test_a_terminal_has_one_line_that_counts_and_goes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _count([0.1, 0.3, 0.4, 0.6], monkeypatch)
    assert capsys.readouterr().err == "\r  2 of 9\x1b[K\r  4 of 9\x1b[K\r\x1b[K"


def test_who_wants_no_story_gets_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _count([40.0, 80.0], monkeypatch, quiet=True)
    assert capsys.readouterr().err == ""
