"""Where to cut an ordered list into pieces so that a later edit moves few boundaries."""

import zlib
from collections.abc import Iterable


def cuts(keys: Iterable[str], sizes: Iterable[int], target: int) -> list[tuple[int, int]]:
    """Pieces (first, past the last) of about `target` summed size, none above 1.5 times it unless one row is.

    A boundary falls before a row whose key's hash says so (content-defined chunking), so that adding or removing a
    row changes the pieces around it and no others. Rows of one key stay together below the maximum.
    """
    pieces: list[tuple[int, int]] = []
    first = total = count = 0
    before = None
    scale = 2**32 / max(1, target / 2)  # past the minimum, a boundary is expected every target / 2
    for count, (key, size) in enumerate(zip(keys, sizes, strict=True), 1):
        if count - 1 > first:
            boundary = total >= target / 2 and key != before and zlib.crc32(key.encode()) < size * scale
            if boundary or total + size > 1.5 * target:
                pieces.append((first, count - 1))
                first, total = count - 1, 0
        total += size
        before = key
    if count > first:
        pieces.append((first, count))
    return pieces
