"""Clip ids: one canonical key per source recording, and a start inside it."""

import re
from decimal import Decimal

# Printable, no backslash, no leading or trailing blank; segments of a path may not be `.` or `..`.
_ID = re.compile(r"[a-z][a-z0-9-]*:[^\x00-\x1f\x7f\\]{1,400}")
_UNSAFE_IN_FILE = re.compile(r"[^A-Za-z0-9@._=+-]+")


def recording(scheme: str, name: str) -> str:
    """The canonical key of a source recording: `yt:dQw4w9WgXcQ`, `fs:117790`."""
    return f"{scheme}:{name}"


def seconds_text(seconds: float) -> str:
    """Seconds as they stand in an id: milliseconds at most, no trailing zeros (`30`, `29.5`)."""
    return f"{Decimal(str(round(seconds, 3))).normalize():f}"


def clip_id(source_id: str, start: float | None = None) -> str:
    """The id of the clip that begins `start` seconds into a recording: `yt:<id>@30`."""
    return source_id if start is None else f"{source_id}@{seconds_text(start)}"


def is_safe_id(value: str) -> bool:
    """Whether an id may be used: one line, a scheme, and no path that climbs or starts at the root."""
    if not _ID.fullmatch(value) or value != value.strip():
        return False
    path = value.split(":", 1)[1]
    return not path.startswith("/") and all(part not in {"", ".", ".."} for part in path.split("/"))


def file_name(value: str, suffix: str) -> str:
    """A plain file name for a clip's audio, safe on every file system: `yt-<id>@30.flac`."""
    return _UNSAFE_IN_FILE.sub("-", value) + suffix
