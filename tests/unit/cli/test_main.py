"""The command itself: help, usage errors, exit codes."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from captionstew.cli import doctor
from captionstew.cli.commands import COMMANDS
from captionstew.cli.main import BUG, INTERRUPTED

from .conftest import Cli

HEAVY = ("polars", "pyarrow", "numpy", "ray", "soundfile", "rich", "datasets")


def test_the_overview_fits_a_terminal_of_24_by_80_and_names_every_command(cli: Cli) -> None:
    said = cli()
    lines = said.out.splitlines()
    assert said.code == 0
    assert len(lines) <= 23  # and the prompt
    assert max(map(len, lines)) <= 80
    assert all(any(command.name in line.split()[:2] for line in lines) for command in COMMANDS)
    assert cli("--help").out == cli("help").out == said.out


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_ends_with_three_examples_and_fits_80_columns(cli: Cli, name: str) -> None:
    said = cli(name, "--help")
    lines = said.out.rstrip().splitlines()
    assert said.code == 0
    assert max(map(len, lines)) <= 80
    assert lines[-4] == "examples:"
    assert all(line.startswith("  captionstew ") for line in lines[-3:])
    assert cli("help", name).out == said.out


def test_help_and_usage_errors_load_nothing_heavy() -> None:
    code = (
        "import sys; from captionstew.cli.main import main; main([]); main(['build', '--help']); main(['biuld']);"
        f"print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["biuld"], 'there is no command "biuld"', "did you mean `build`?"),
        (["build", "sampler", "--onyl", "x"], "build has no option --onyl", "did you mean `--only`?"),
        (["build"], "build needs RECIPE", "captionstew build --help has examples"),
        (["build", "sampler", "--limit", "few"], '"few" is not a whole number', "has examples"),
        (["build", "sampler", "--limit", "0"], "0 is too few", "has examples"),
        (["status", "a", "b"], 'status has no use for "b"', "usage: captionstew status"),
        (["--json", "doctor"], "there is no option --json here", "the command comes first"),
        (["recipes", "shwo", "paper"], 'recipes cannot "shwo"', "did you mean `show`?"),
        (["build", "sampler", "--cluster", "lcal"], '--cluster "lcal" is nowhere', "did you mean `local`?"),
    ],
)
def test_a_wrong_command_line_is_exit_2_with_a_hint(
    cli: Cli, words: list[str], message: str, hint: str
) -> None:
    said = cli(*words)
    assert said.code == 2
    assert said.out == "" or "--json" in words
    error, *rest = said.err.splitlines()
    assert error.startswith("error: ")
    assert message in error
    assert any(line.startswith("  hint: ") and hint in line for line in rest)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["build", "papr"], "did you mean `paper`?"),
        (["plan", "Esc50"], "did you mean `esc50`?"),
        (["corpora", "cloto"], "did you mean `clotho`?"),
        (["recipes", "show", "smapler"], "did you mean `sampler`?"),
        (["build", "stew", "--only", "clohto"], "did you mean `clotho`?"),
        (["build", "sampler", "--audio", "sampler-clohto=."], "did you mean `sampler-clotho`?"),
        (["build", "sampler", "--set", "longst=3"], "did you mean Duration.longest?"),
    ],
)
def test_an_unknown_name_is_exit_1_with_the_nearest_one(cli: Cli, words: list[str], hint: str) -> None:
    said = cli(*words)
    assert said.code == 1
    assert said.out == ""
    assert f"  hint: {hint}" in said.err


def test_an_error_is_json_too_when_json_is_asked_for(cli: Cli) -> None:
    said = cli("corpora", "cloto", "--json")
    assert json.loads(said.out)["error"] == "there is no corpus `cloto`"
    assert json.loads(said.out)["exit"] == said.code == 1
    assert said.err.startswith("error: ")


def test_a_bug_shows_its_traceback_and_is_no_user_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "cores", lambda: 1 // 0)
    said = cli("doctor")
    assert said.code == BUG == 70
    assert "ZeroDivisionError" in said.err
    assert "this is a bug in captionstew" in said.err


def test_what_the_system_refuses_is_no_bug(cli: Cli) -> None:
    said = cli("status", "x" * 300)
    assert said.code == 1
    assert "File name too long" in said.err
    assert "hint: take a shorter name" in said.err


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.EACCES, "let yourself read"), (errno.EIO, "look at the disk"), (errno.ENOSPC, "free some space")],
)
def test_a_file_that_is_refused_is_named_with_its_remedy(
    number: int, hint: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise OSError(number, os.strerror(number), "/there/clip.wav")

    monkeypatch.setattr(doctor, "cores", fail)
    said = cli("doctor", "--json")
    assert (said.code, json.loads(said.out)["where"]) == (1, "/there/clip.wav")
    assert hint in json.loads(said.out)["hint"]


def test_a_missing_file_of_our_own_is_a_bug(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "cores", lambda: len(Path("nowhere.toml").read_bytes()))
    assert cli("doctor").code == BUG


def test_ctrl_c_is_exit_130_without_a_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "cores", interrupted)
    said = cli("doctor")
    assert said.code == INTERRUPTED == 130
    assert "Traceback" not in said.err


def test_a_closed_pipe_is_the_end_and_no_error(tmp_path: Path) -> None:
    command = f"set -o pipefail; {sys.executable} -m captionstew corpora --json | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "[\n"
