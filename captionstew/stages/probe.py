"""Probe: what a file's headers say, before anything is decoded."""

from dataclasses import dataclass

from captionstew.audio.codec import Undecodable, probe_open
from captionstew.pipeline.sound import Sound
from captionstew.pipeline.stage import ClipStage, Drop

_HELD = 256 << 20  # bytes; a larger file is opened where it lies and read in part


@dataclass(frozen=True)
class Probe(ClipStage):
    """Rate, channels and length by headers alone. Drops: `unreadable`, `empty`, `no-decoder`, `outside`.

    `outside` is a clip whose interval begins before its recording, or past its end.
    """

    def __call__(self, sound: Sound) -> Drop | None:
        """Read the headers, and FLAC as a whole: its fast decoder and the pass-through want the bytes."""
        member = sound.source.offset >= 0
        try:
            if sound.data is None and (member or (sound.source.is_flac and sound.source.size <= _HELD)):
                sound.data = sound.source.read()
            if sound.form is None:
                audio = sound.data if sound.data is not None else sound.source.path
                sound.form, sound.file = probe_open(audio)
        except Undecodable as error:
            return Drop(error.reason, error.detail)
        except OSError as error:  # gone or locked since it was listed
            return Drop("unreadable", error.strerror or str(error))
        return None if sound.span[1] else Drop("outside", f"{sound.form.seconds:.3f} s")
