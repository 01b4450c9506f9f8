"""Duration: clips of a length that a model can use."""

from dataclasses import dataclass

from captionstew.pipeline.sound import Sound
from captionstew.pipeline.stage import ClipStage, Drop


@dataclass(frozen=True)
class Duration(ClipStage):
    """Drop clips outside [`shortest`, `longest`] seconds, by their headers or, once decoded, exactly (`duration`)."""

    shortest: float = 1.0
    longest: float = 60.0

    def __call__(self, sound: Sound) -> Drop | None:
        """Compare the clip's seconds."""
        inside = self.shortest <= sound.seconds <= self.longest
        return None if inside else Drop("duration", f"{sound.seconds:.3f} s")
