"""Numbers as people read them: counts, sizes, spans of time, shares, licences."""

from collections.abc import Iterable, Mapping

UNKNOWN = "?"
NONE = "-"


def count(number: int | None) -> str:
    """`51,308`, `403 k`, `4.02 M`; `?` where nobody knows."""
    if number is None:
        return UNKNOWN
    if number < 100_000:
        return f"{number:,}"
    return three(number / 1e3) + " k" if number < 999_500 else three(number / 1e6) + " M"


def hours(number: float | None) -> str:
    """`0.20`, `37.1`, `2,769`; `?` where nobody knows."""
    if number is None:
        return UNKNOWN
    return f"{number:,.0f}" if number >= 1000 else three(number) if number >= 1 else f"{number:.2f}"


def size(number: float) -> str:
    """`980 B`, `16.6 MB`, `3.2 TB`: decimal, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if unit == "B" else f"{three(number)} {unit}"
        number /= 1000
    return f"{three(number)} TB"


def span(seconds: float) -> str:
    """`0.4 s`, `52 s`, `4:02`, `2h 09m`, `3d 04h`."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02}"
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02}m"
    return f"{minutes // 1440}d {minutes // 60 % 24:02}h"


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


def plural(number: int, noun: str) -> str:
    """`1 clip`, `81 clips`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {'corpora' if noun == 'corpus' else noun + 's'}"


def reasons(drops: Mapping[str, int], most: int = 99) -> str:
    """Drops by reason, the greatest first: `missing 51,305, silent 2`."""
    ordered = sorted(drops.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {number:,}" for reason, number in ordered[:most] if number)


def license_name(name: str) -> str:
    """An SPDX id or LicenseRef without what every LicenseRef begins with."""
    return name.removeprefix("LicenseRef-")


def licenses(names: Iterable[str]) -> str:
    """One licence by its name, several by their number."""
    distinct = list(dict.fromkeys(names))
    return (
        license_name(distinct[0]) if len(distinct) == 1 else f"{len(distinct)} licenses" if distinct else NONE
    )


def three(number: float) -> str:
    """Three digits: `9.21`, `41.2`, `832`."""
    return f"{number:.2f}" if number < 9.995 else f"{number:.1f}" if number < 99.95 else f"{number:.0f}"
