"""One clip on its way through the audio stages."""

import os
from dataclasses import dataclass

from soundfile import SoundFile

from captionstew.audio.codec import Format, Pcm
from captionstew.audio.fingerprint_words import Words
from captionstew.audio.measure import Measures


@dataclass(frozen=True)
class Source:
    """Where a clip's audio lies: a file, or `size` bytes of one (a member of a tar)."""

    path: str  # plain: to join, parse and open a `Path` took a tenth of what a clip that passes through takes
    offset: int = -1
    size: int = 0

    @property
    def is_flac(self) -> bool:
        """By its name."""
        return self.path[-5:].lower() == ".flac"

    def read(self) -> bytes:
        """All bytes of the file or member; fewer where it ends before."""
        descriptor, at = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), max(self.offset, 0)
        try:
            size = self.size if self.offset >= 0 else os.fstat(descriptor).st_size
            data = os.pread(descriptor, size, at)
            while len(data) < size and (more := os.pread(descriptor, size - len(data), at + len(data))):
                data += more  # the system gives 2 GB at a time
            return data
        finally:
            os.close(descriptor)


@dataclass
class Sound:
    """A clip's source and what the stages have found so far; each stage fills its part."""

    clip_id: str
    source: Source
    first_second: float | None = None  # cut out of the source, where the source is a whole recording
    last_second: float | None = None
    form: Format | None = None  # by Probe
    data: bytes | None = None  # by Probe, where the file is small enough to hold
    file: SoundFile | None = None  # by Probe, where libsndfile has the source open; Normalize closes it
    pcm: Pcm | None = None  # by Normalize
    untouched: bool = False  # by Normalize: `data` already holds exactly `pcm` as 16 kHz mono FLAC
    measures: Measures | None = None  # by Measure
    sha256: str = ""  # by Measure
    words: Words | None = None  # by Measure
    encoded: bytes = b""  # by Encode; the very object `data` where the source passes through
    codec: str = ""  # by Encode
    sample_rate: int = 0  # by Normalize
    channel: int | None = None  # of the source, counted from 1, where only that one is the clip's

    @property
    def passes(self) -> bool:
        """Whether the shard will hold the source as it lies there."""
        return self.untouched and self.encoded is self.data

    @property
    def span(self) -> tuple[int, int]:
        """First frame and number of frames of the clip in its source, by the headers; none where it lies outside."""
        assert self.form is not None, "probe first"
        rate, frames = self.form.sample_rate, self.form.frames
        first = min(round((self.first_second or 0.0) * rate), frames)
        if first < 0:
            return 0, 0
        last = frames if self.last_second is None else min(round(self.last_second * rate), frames)
        return first, max(0, last - first)

    @property
    def seconds(self) -> float:
        """Length of the clip, exact once decoded and by the headers before."""
        if self.pcm is not None:
            return len(self.pcm) / self.sample_rate
        assert self.form is not None, "probe first"
        return self.span[1] / self.form.sample_rate
