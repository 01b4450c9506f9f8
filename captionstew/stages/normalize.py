"""Normalize: decoded, cut, mono, one rate, 16 bits."""

from dataclasses import dataclass

from captionstew.audio.codec import Undecodable, decode_mono, decode_pcm
from captionstew.audio.signal import quantise, resample
from captionstew.pipeline.sound import Sound
from captionstew.pipeline.stage import ClipStage, Drop
from captionstew.schema import SAMPLE_RATE


@dataclass(frozen=True)
class Normalize(ClipStage):
    """16-bit mono samples at one rate. Drops: `undecodable`, `truncated` (fewer samples than the headers promise).

    Channels are averaged, unless the clip is one of them alone (a speaker of a conversation); `channel` is a clip of
    a channel that its source does not have.

    What already is mono FLAC at that rate is decoded to check and measure it, and kept as it is.
    """

    sample_rate: int = SAMPLE_RATE

    def __call__(self, sound: Sound) -> Drop | None:
        """Decode the clip's part of its source."""
        assert sound.form is not None, "Normalize needs Probe before it"
        form, (first, count) = sound.form, sound.span
        data = sound.data if sound.data is not None else sound.source.path
        ready = ("flac", "PCM_16", self.sample_rate, 1) == (
            form.container,
            form.subtype,
            form.sample_rate,
            form.channels,
        )
        if sound.channel is not None and not 1 <= sound.channel <= form.channels:
            return Drop("channel", f"{sound.channel} of {form.channels}")
        try:
            if ready and not form.counted and count == form.frames and isinstance(data, bytes):
                sound.pcm, _ = decode_pcm(data, "flac")
                sound.untouched = True
                if len(sound.pcm) != count:
                    return Drop("truncated", f"{len(sound.pcm)} of {count} frames")
            else:
                samples = decode_mono(data, form, first, count, sound.channel, sound.file)
                sound.pcm = quantise(resample(samples, form.sample_rate, self.sample_rate))
        except Undecodable as error:
            return Drop(error.reason, error.detail)
        except OSError as error:  # gone since it was probed
            return Drop("unreadable", error.strerror or str(error))
        sound.sample_rate = self.sample_rate
        return None if len(sound.pcm) else Drop("truncated", "no samples")
