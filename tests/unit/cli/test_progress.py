"""Progress without a terminal: a line per stage, each once, with what was dropped."""

import pytest

from captionstew.cli.console import Console
from captionstew.cli.progress import Lines, Watcher, watcher
from captionstew.pipeline.progress import Event

BUILD = [
    Event("read", 0, 1),
    Event("read", 1, 1, clips=10),
    Event("ray", 0, 1, note="starting Ray: local"),
    Event("probe..encode", 0, 2, note="this process, 2 threads"),
    Event("probe..encode", 1, 2, clips=4, seconds=40.0),
    Event("probe..encode", 2, 2, clips=9, seconds=90.0),
    Event("probe..encode", 0, 1),
    Event("probe..encode", 1, 1, clips=9, drops={"truncated": 1}),
    Event("shard", 0, 1),
    Event("shard", 1, 1, clips=9),
]


def test_every_stage_has_one_line_and_the_audio_pass_its_drops(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(Console()) as lines:
        for event in BUILD:
            lines(event)
    out, err = capsys.readouterr()
    assert out == ""
    told = err.splitlines()
    assert [line.split()[0] for line in told] == ["read", "ray", "probe..encode", "shard"]
    assert told[2].split()[1:4] == ["2/2", "9", "clips"]
    assert told[2].endswith("dropped truncated 1")


def test_a_long_stage_is_spoken_of_every_half_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    with Lines(Console()) as lines:
        for done in range(100):
            now = float(done)
            lines(Event("probe..encode", done, 100, clips=done, seconds=10.0 * done))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert told[1].split()[1] == "60/100"
    assert told[1].endswith("10 s of audio per s  left 40 s")


def test_what_was_done_before_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(Console()) as lines:
        lines(Event("clean", 1, 1, clips=3, skipped=True))
    assert capsys.readouterr().err.rstrip().endswith("done before")


def test_an_interrupted_build_knows_how_far_it_came() -> None:
    seen = Watcher()
    assert seen.saved == "nothing was begun"
    for event in BUILD[:5]:
        seen(event)
    assert seen.saved == "1 of 2 pieces of probe..encode is done and saved"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with watcher(Console(quiet=True)) as seen:
        for event in BUILD:
            seen(event)
    assert capsys.readouterr() == ("", "")
