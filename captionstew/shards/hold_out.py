"""Clips that training never sees, where a build has no split of its own for validation."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from captionstew.shards.read import Clips


def held_out(clips: Clips, share: float) -> npt.NDArray[np.bool_]:
    """Which clips belong to the held-out share, by a hash of the recording that they are cut from.

    So all clips of a recording fall on one side, in this build and in every other. Reads the ids of all clips.
    """
    limit = round(share * 2**64)
    ids = (source for group in clips.groups(["source_id"]) for source in group["source_id"].to_pylist())
    below = (int.from_bytes(blake2b(i.encode(), digest_size=8).digest(), "big") < limit for i in ids)
    return np.fromiter(below, np.bool_, len(clips))
