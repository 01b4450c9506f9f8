"""What `captionstew enrich calibrate` can be told; imports nothing heavy, so that its help is there at once."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter

_EXAMPLES = """examples:
  captionstew enrich calibrate build/esc50                  default detector
  captionstew enrich calibrate build/esc50 --detector ~/ast one of your own
  captionstew enrich calibrate build/vggsound --n 500       a quick try"""


def options(parser: ArgumentParser) -> None:
    """The arguments; what is not said of thresholds is None, for `Calibration` has the defaults."""
    parser.epilog, parser.formatter_class = _EXAMPLES, RawDescriptionHelpFormatter
    add = parser.add_argument
    add("folder", metavar="BUILD", help="with audio, and labels of its publishers")
    add("--detector", metavar="MODEL", help="a name on the Hub or a folder; the AST of Events")
    add("--revision", metavar="NAME", default="", help="a commit of it")
    add("--out", metavar="FILE", default="thresholds.toml", help="what is written (thresholds.toml)")
    add("--n", metavar="N", type=_whole, default=20_000, help="labelled clips at most (20000)")
    add("--possible", metavar="SHARE", type=_share, help="share of true labels to be possible (0.3)")
    add("--certain", metavar="SHARE", type=_share, help="the same, to be certain (0.8)")
    add("--fewest", metavar="N", type=_whole, help="clips that a class needs, else the default (10)")
    add("--cache", metavar="DIR", default="", help="where scores are kept; in the build")


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f'"{text}" is no whole number from 1 on')
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise ArgumentTypeError(f'"{text}" is no share, such as 0.8')
    return share
