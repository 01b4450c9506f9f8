"""The clips of a build as noise to mix in."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import codec_of, decode_pcm
from captionstew.errors import StewError
from captionstew.shards.read import Clips


class NoiseClips:
    """Recordings by number from a build folder, as `MixNoise` wants them: int16 at 16 kHz."""

    def __init__(self, folder: Path) -> None:
        self._clips = Clips(folder)
        if not len(self._clips):
            raise StewError(
                "there is no noise", where=str(folder), hint="build a noise corpus: build folder --from DIR"
            )

    def __len__(self) -> int:
        return len(self._clips)

    def __call__(self, number: int) -> npt.NDArray[np.int16]:
        """One recording, whole."""
        data = self._clips.clip_bytes(number)
        pcm, _ = decode_pcm(data, codec_of(data))
        return pcm
