"""Arguments: one parser per command, errors with did-you-mean, examples at the end of every help."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from keyword import iskeyword
from typing import NoReturn

from captionstew.corpora.strict import nearest
from captionstew.errors import UsageError

Arguments = argparse.Namespace


@dataclass(frozen=True)
class Command:
    """A verb: what it is for, its arguments, three examples. `captionstew.cli.<module>` holds what it does."""

    name: str
    group: str
    about: str
    overview: str  # the one line of the command list
    example: str  # the end of that line
    arguments: Callable[[argparse.ArgumentParser], None]
    examples: tuple[tuple[str, str], ...]  # command line, what it does

    @property
    def module(self) -> str:
        """Its name, or what Python allows instead: `import_`."""
        return f"{self.name}_" if iskeyword(self.name) else self.name

    def parse(self, words: list[str]) -> Arguments:
        """The arguments of this command; UsageError with a hint if they make no sense."""
        parser = _Parser(
            prog=f"captionstew {self.name}", description=textwrap.fill(self.about, _width()),
            allow_abbrev=False, add_help=False, epilog=_examples(self.examples), formatter_class=_Help,
        )  # fmt: skip
        parser._positionals.title = "arguments"
        self.arguments(parser)
        common = parser.add_argument_group("everywhere")
        common.add_argument("--json", action="store_true", help="the result as JSON on stdout")
        common.add_argument("--quiet", action="store_true", help="the result and errors only")
        common.add_argument("-h", "--help", action="help", help="this text")
        arguments, unknown = parser.parse_known_args(words)
        if unknown:
            raise _unknown(unknown[0], parser)
        return arguments


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Usage errors are errors like all others."""
        command = self.prog.removeprefix("captionstew ")
        needs = re.fullmatch(r"the following arguments are required: (.*)", message)
        text = f"{command} needs {needs[1]}" if needs else message.removeprefix("argument ")
        raise UsageError(text, hint=f"captionstew {command} --help has examples")


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=_width())


def _width() -> int:
    return min(100, shutil.get_terminal_size().columns)


def _unknown(word: str, parser: argparse.ArgumentParser) -> UsageError:
    command = parser.prog.removeprefix("captionstew ")
    if not word.startswith("-"):
        hint = f"{parser.format_usage().strip()}"
        return UsageError(f'{command} has no use for "{word}"', hint=hint)
    name = word.partition("=")[0]
    known = [option for action in parser._actions for option in action.option_strings]
    return UsageError(f"{command} has no option {name}", hint=nearest(name, known))


def _examples(examples: tuple[tuple[str, str], ...]) -> str:
    wide = max(len(line) for line, _ in examples)
    return "examples:\n" + "\n".join(
        f"  captionstew {line:{wide}}   {what}".rstrip() for line, what in examples
    )
