"""Where to cut an ordered list into pieces so that a later edit moves few boundaries."""

import zlib
from collections.abc import Sequence


def cuts(keys: Sequence[str], sizes: Sequence[int], target: int) -> list[tuple[int, int]]:
    """Pieces (first, past the last) of about `target` summed size, none above 1.5 times it unless one row is.

    A boundary falls before a row whose key's hash says so (content-defined chunking), so that adding or removing a
    row changes the pieces around it and no others. Rows of one key stay together below the maximum.
    """
    pieces: list[tuple[int, int]] = []
    first = total = 0
    scale = 2**32 / max(1, target / 2)  # past the minimum, a boundary is expected every target / 2
    for i, (key, size) in enumerate(zip(keys, sizes, strict=True)):
        if i > first:
            boundary = total >= target / 2 and key != keys[i - 1] and zlib.crc32(key.encode()) < size * scale
            if boundary or total + size > 1.5 * target:
                pieces.append((first, i))
                first, total = i, 0
        total += size
    if len(keys) > first:
        pieces.append((first, len(keys)))
    return pieces
