"""Numbers as the page has them: exact in tables, rounded where a sentence reads better so."""

from captionstew.figures import license_name, plural, share, size, three

__all__ = ["about", "count", "hours", "license_name", "plural", "seconds", "share", "size", "span"]


def count(number: float) -> str:
    """`9,214,332`."""
    return f"{number:,.0f}"


def about(number: float) -> str:
    """`832`, `41.2 k`, `9.21 M`."""
    for unit, least, one in (("M", 1e6, 1e6), ("k", 1e4, 1e3)):
        if number >= least:
            return f"{three(number / one)} {unit}"
    return f"{number:,.0f}"


def hours(number: float) -> str:
    """`0.042`, `37.1`, `36,900`."""
    if number >= 1000:
        return f"{number:,.0f}"
    return three(number) if number >= 1 else f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def span(seconds: float) -> str:
    """`<0.1 s`, `0.4 s`, `52 s`, `4 min 02 s`, `2 h 09 min`, `3 d 4 h`."""
    if 0 < seconds < 0.05:
        return "<0.1 s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes // 60 % 24} h"


def seconds(number: float) -> str:
    """`0.85`, `7.4`, `10`, `612`: the length of a clip."""
    shown = f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"
    return shown.removesuffix(".0")
