"""Numbers as the page has them: exact in tables, rounded where a sentence reads better so."""


def count(number: float) -> str:
    """`9,214,332`."""
    return f"{number:,.0f}"


def about(number: float) -> str:
    """`832`, `41.2 k`, `9.21 M`."""
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= (size if unit == "M" else 10 * size):
            return f"{_three(number / size)} {unit}"
    return f"{number:,.0f}"


def hours(number: float) -> str:
    """`0.042`, `37.1`, `36,900`."""
    if number >= 1000:
        return f"{number:,.0f}"
    return _three(number) if number >= 1 else f"{number:.3f}" if number < 0.1 else f"{number:.2f}"


def size(number: float) -> str:
    """`980 B`, `16.6 MB`, `3.20 TB`: decimal, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{_three(number)} {unit}"
        number /= 1000
    return f"{_three(number)} TB"


def share(part: float, whole: float) -> str:
    """`0 %`, `0.4 %`, `12 %`, `100 %`; never all or nothing by rounding."""
    if not part or not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1 %"
    if percent < 9.95:
        return f"{percent:.1f} %"
    return f"{percent:.0f} %" if part == whole or percent < 99.5 else ">99 %"


def span(seconds: float) -> str:
    """`0.4 s`, `52 s`, `4 min 02 s`, `2 h 09 min`, `3 d 4 h`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes // 60 % 24} h"


def plural(number: int, noun: str) -> str:
    """`1 clip`, `81 clips`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {'corpora' if noun == 'corpus' else noun + 's'}"


def seconds(number: float) -> str:
    """`0.85`, `7.4`, `10`, `612`: the length of a clip."""
    shown = f"{number:.2f}" if number < 1 else f"{number:.1f}" if number < 100 else f"{number:,.0f}"
    return shown.removesuffix(".0")


def license_name(name: str) -> str:
    """An SPDX id or LicenseRef without what every LicenseRef begins with."""
    return name.removeprefix("LicenseRef-")


def _three(number: float) -> str:
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}" if number < 99.95 else f"{number:.0f}"
