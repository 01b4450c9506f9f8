"""Measure: quality, hash and fingerprint of the samples."""

import hashlib
from dataclasses import dataclass

from captionstew.audio.fingerprint import fingerprint
from captionstew.audio.measure import measure
from captionstew.audio.spectra import spectra
from captionstew.pipeline.sound import Sound
from captionstew.pipeline.stage import ClipStage, Drop


@dataclass(frozen=True)
class Measure(ClipStage):
    """Loudness, peak, silence, clipping, DC, bandwidth; SHA-256 of the PCM; acoustic fingerprint. Drops nothing."""

    version = 3

    def __call__(self, sound: Sound) -> Drop | None:
        """One pass of spectra serves the measures; the fingerprint takes finer ones of the low frequencies."""
        assert sound.pcm is not None, "Measure needs Normalize before it"
        sums = spectra(sound.pcm, sound.sample_rate)
        sound.measures = measure(sound.pcm, sound.sample_rate, sums)
        sound.words = fingerprint(sound.pcm, sound.sample_rate)
        sound.sha256 = hashlib.sha256(sound.pcm.data).hexdigest()
        return None
