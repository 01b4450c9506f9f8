"""Clips that were taken down after a copy of a release was made: readers of the copy leave them out."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.shards.columns import read_columns
from captionstew.shards.read import Clips

REMOVED = "removed.parquet"  # of a release; a copy is brought up to date by fetching the newest one


def withdrawn(clips: Clips) -> npt.NDArray[np.bool_] | None:
    """Which clips of a folder its `removed.parquet` names; None if it has none, or an empty one.

    A release behind a URL is of one version, whose shards are without them already.
    """
    path = clips.folder / REMOVED
    if not path.is_file():
        return None
    gone = read_columns(path, ["clip_id"])["clip_id"].combine_chunks()
    if not len(gone):
        return None
    found = [pc.is_in(group["clip_id"], value_set=gone) for group in clips.groups(["clip_id"])]
    mask: npt.NDArray[np.bool_] = pa.chunked_array(
        [c for one in found for c in one.chunks], pa.bool_()
    ).to_numpy()
    return mask
