"""Clip ids as names of files: inside tars, where they can be read back, and on disks."""

from urllib.parse import quote, unquote

from captionstew.clip import file_name

_LONGEST = 120  # characters of an id in the name of a file on a disk


def key(clip_id: str) -> str:
    """A name without `/`, `.` or any other special character, from which `clip_id_of` gives the id again.

    Percent-encoding (RFC 3986) of all but letters, digits, `_` and `-`: webdataset ends a key at its first dot.
    """
    return quote(clip_id, safe="").replace(".", "%2E").replace("~", "%7E")


def clip_id_of(key: str) -> str:
    """The id that `key` stands for."""
    return unquote(key, errors="strict")


def file_on_disk(place: int, clip_id: str, suffix: str) -> str:
    """A name that no other clip of its folder has, also where case is ignored: its place there, and its id."""
    return f"{place:06d}-{file_name(clip_id, '')[:_LONGEST]}{suffix}"
