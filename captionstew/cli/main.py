"""`captionstew`: one command name, verbs a person would say, errors that say what to do.

Exit codes: 0 done, 1 you can fix it, 2 usage, 3 incomplete, 4 not valid, 70 a bug of ours (`EX_SOFTWARE`, with
its traceback), 130 interrupted.
"""

import importlib
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from captionstew import __version__
from captionstew.cli.commands import COMMANDS, overview
from captionstew.cli.console import Console
from captionstew.cli.extras import lacking
from captionstew.cli.parser import Command
from captionstew.cli.refused import refused
from captionstew.corpora.strict import nearest
from captionstew.errors import StewError, UsageError

INTERRUPTED, BUG = 130, 70


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code and lets no exception out."""
    given = list(sys.argv[1:] if words is None else words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without these letters is no reason to stop
    console = Console(json="--json" in given, quiet="--quiet" in given)
    try:
        with _terminable():
            code = _answered(given, console)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt as end:
        if not end.args:  # a build has said more
            console.tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:
        traceback.print_exc()
        hint = "please report it with the lines above; the work that was finished is saved"
        console.fault(StewError("this is a bug in captionstew", hint=hint), BUG)
        return BUG


def _answered(words: list[str], console: Console) -> int:
    """The command's exit code; what the user can fix is told."""
    try:
        return _run(words, console)
    except SystemExit as end:  # argparse after --help
        return int(end.code or 0)
    except StewError as error:
        console.fault(error, error.exit_code)
        return error.exit_code
    except (ModuleNotFoundError, OSError) as error:
        told = refused(error) if isinstance(error, OSError) else lacking(error)
        if told is None:
            raise
        console.fault(told, told.exit_code)
        return told.exit_code


@contextmanager
def _terminable() -> Iterator[None]:
    """A polite kill (`SIGTERM`, as schedulers send it) ends a command as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _run(words: list[str], console: Console) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        if words[1:] and words[0] == "help":
            return _run([words[1], "--help"], console)
        print(overview(__version__))
        return 0
    if words[0] == "--version":
        print(f"captionstew {__version__}")
        return 0
    command = _command(words[0])
    arguments = command.parse(words[1:])
    module = importlib.import_module(f"captionstew.cli.{command.module}")
    _interruptible()
    result: int = module.run(arguments, console)
    return result


def _interruptible() -> None:
    """Ctrl-C ends what a command waits for: Polars, once imported, has the system go on waiting after a signal."""
    if threading.current_thread() is threading.main_thread():
        signal.siginterrupt(signal.SIGINT, True)


def _command(word: str) -> Command:
    for command in COMMANDS:
        if command.name == word:
            return command
    if word.startswith("-"):
        raise UsageError(
            f"there is no option {word} here", hint="the command comes first: captionstew --help"
        )
    raise UsageError(
        f'there is no command "{word}"', hint=nearest(word, [command.name for command in COMMANDS])
    )
