"""Probe, Duration, Normalize, Measure, Encode: one clip from its file to the bytes of a shard."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from captionstew.audio.codec import decode_pcm
from captionstew.audio.files import audio_files
from captionstew.pipeline.sound import Sound, Source
from captionstew.pipeline.stage import ClipStage, Drop
from captionstew.stages.duration import Duration
from captionstew.stages.encode import Encode
from captionstew.stages.measure import Measure
from captionstew.stages.normalize import Normalize
from captionstew.stages.probe import Probe

Make = Callable[..., Any]

Samples = npt.NDArray[np.float32]
RATE = 16_000
STAGES = (Probe(), Duration(), Normalize(), Measure(), Encode())


@pytest.fixture
def sound(tmp_path: Path) -> Callable[..., Sound]:
    """A clip of a file with this content."""

    def make(
        data: bytes, name: str = "a.wav", first: float | None = None, last: float | None = None
    ) -> Sound:
        path = tmp_path / name
        path.write_bytes(data)
        return Sound("a:1", Source(str(path), -1, len(data)), first, last)

    return make


def through(sound: Sound, *stages: ClipStage) -> tuple[str, Drop] | None:
    """The stage and the reason where the clip ends, if it does."""
    for stage in stages:
        if drop := stage(sound):
            return stage.name, drop
    return None


def ended(sound: Sound, *stages: ClipStage) -> tuple[str, str] | None:
    """Stage and reason alone."""
    end = through(sound, *stages)
    return (end[0], end[1].reason) if end else None


def test_a_clip_goes_through_all_stages(sound: Make, sine: Make, audio_bytes: Make) -> None:
    clip = sound(audio_bytes(np.stack([sine(440, 2.0, 44_100)] * 2, 1), 44_100))
    assert through(clip, *STAGES) is None
    assert clip.form is not None
    assert clip.pcm is not None
    assert (clip.form.sample_rate, clip.form.channels, clip.sample_rate, len(clip.pcm)) == (
        44_100,
        2,
        RATE,
        2 * RATE,
    )
    assert clip.sha256 == hashlib.sha256(clip.pcm.astype("<i2").tobytes()).hexdigest()
    assert np.array_equal(decode_pcm(clip.encoded, "flac")[0], clip.pcm)
    assert clip.measures is not None
    assert clip.measures.peak == pytest.approx(-6.02, abs=0.1)
    assert clip.words is not None
    assert len(clip.words) == 2 * RATE // 1024 - 12
    assert clip.codec == "flac"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unreadable"),
        (b"words " * 100, "unreadable"),
        (b"\0\0\0\x18ftypM4A " + bytes(300), "unreadable"),
    ],
)
def test_what_is_no_audio_ends_at_probe(sound: Make, data: bytes, reason: str) -> None:
    assert ended(sound(data), *STAGES) == ("probe", reason)


def test_a_file_without_frames_ends_at_probe(sound: Make, audio_bytes: Make) -> None:
    assert ended(sound(audio_bytes(np.zeros(0))), *STAGES) == ("probe", "empty")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.m4a"])
def test_a_file_that_is_gone_ends_at_probe(tmp_path: Path, name: str) -> None:
    clip = Sound("a:1", Source(str(tmp_path / name), -1, 100))
    end = through(clip, *STAGES)
    assert end is not None
    assert (end[0], end[1].reason) == ("probe", "unreadable")
    assert end[1].detail == "No such file or directory"


@pytest.mark.parametrize(("first", "last"), [(3.0, 5.0), (2.0, None), (1.5, 1.5), (-1.0, 1.0)])
def test_an_interval_outside_its_recording_ends_at_probe(
    sound: Make, sine: Make, audio_bytes: Make, first: float, last: float | None
) -> None:
    assert ended(sound(audio_bytes(sine(440, 2.0)), "a.wav", first, last), *STAGES) == ("probe", "outside")


@pytest.mark.parametrize(("seconds", "ends"), [(0.99, True), (1.0, False), (3.0, False), (3.01, True)])
def test_clips_outside_the_limits_end_at_duration(
    sound: Make, sine: Make, audio_bytes: Make, seconds: float, ends: bool
) -> None:
    clip = sound(audio_bytes(sine(440, seconds)))
    assert ended(clip, Probe(), Duration(1.0, 3.0)) == (("duration", "duration") if ends else None)


def test_duration_tells_the_seconds(sound: Make, sine: Make, audio_bytes: Make) -> None:
    end = through(sound(audio_bytes(sine(440, 0.25))), Probe(), Duration())
    assert end == ("duration", Drop("duration", "0.250 s"))


def test_the_length_of_a_cut_counts_not_that_of_its_recording(
    sound: Make, sine: Make, audio_bytes: Make
) -> None:
    recording = audio_bytes(sine(440, 5.0))
    assert ended(sound(recording, "a.wav", 1.0, 3.0), Probe(), Duration(1.0, 3.0)) is None
    assert ended(sound(recording, "a.wav", 4.5, 6.0), Probe(), Duration(1.0, 3.0)) == ("duration", "duration")


@pytest.mark.parametrize(("container", "name"), [("WAV", "a.wav"), ("FLAC", "a.flac")])
def test_a_truncated_file_ends_at_normalize(
    sound: Make, sine: Make, audio_bytes: Make, container: str, name: str
) -> None:
    for rate in (16_000, 44_100):  # 16 kHz FLAC would pass through
        data = audio_bytes(sine(440, 3.0, rate), rate, container)
        assert ended(sound(data[: len(data) * 2 // 3], name), *STAGES) == ("normalize", "truncated")


def test_a_file_that_vanishes_after_its_headers_were_read_ends_at_normalize(
    sound: Make, sine: Make, audio_bytes: Make
) -> None:
    for container, subtype in (("WAV", "PCM_16"), ("MP3", "MPEG_LAYER_III")):
        clip = sound(audio_bytes(sine(440, 2.0), RATE, container, subtype))
        assert through(clip, Probe(), Duration()) is None
        Path(clip.source.path).unlink()
        end = ended(clip, Normalize())
        assert end is None or end[0] == "normalize"


def test_a_window_is_cut_out_sample_by_sample(sound: Make, audio_bytes: Make) -> None:
    pcm = np.random.default_rng(0).integers(-20_000, 20_000, 5 * RATE).astype(np.int16)
    for container, name in (("WAV", "a.wav"), ("FLAC", "a.flac")):
        clip = sound(audio_bytes(pcm, RATE, container), name, 1.25, 3.5)
        assert through(clip, *STAGES) is None
        assert np.array_equal(clip.pcm, pcm[20_000:56_000])
        assert not clip.untouched


def test_16_khz_mono_flac_passes_through_byte_for_byte(sound: Make, melody: Make, audio_bytes: Make) -> None:
    data = audio_bytes(melody(1, 2.0), RATE, "FLAC")
    clip = sound(data, "a.flac")
    assert through(clip, *STAGES) is None
    assert clip.untouched
    assert clip.encoded == data


def test_what_passes_through_is_measured_as_if_it_had_been_decoded(
    sound: Make, melody: Make, audio_bytes: Make
) -> None:
    pcm = np.rint(32767 * melody(1, 2.0)).astype(np.int16)
    untouched, decoded = (
        sound(audio_bytes(pcm, RATE, "FLAC"), "a.flac"),
        sound(audio_bytes(pcm, RATE, "WAV"), "a.wav"),
    )
    for clip in (untouched, decoded):
        assert through(clip, *STAGES) is None
    assert untouched.measures == decoded.measures
    assert untouched.sha256 == decoded.sha256
    assert np.array_equal(untouched.words, decoded.words)
    assert np.array_equal(decode_pcm(untouched.encoded, "flac")[0], decode_pcm(decoded.encoded, "flac")[0])


@pytest.mark.parametrize(
    ("rate", "channels", "subtype", "seconds"),
    [
        (44_100, 1, "PCM_16", None),
        (16_000, 2, "PCM_16", None),
        (16_000, 1, "PCM_24", None),
        (16_000, 1, "PCM_16", 1.5),
    ],
)
def test_other_flac_is_encoded_anew(
    sound: Make,
    sine: Make,
    audio_bytes: Make,
    rate: int,
    channels: int,
    subtype: str,
    seconds: float | None,
) -> None:
    data = audio_bytes(np.stack([sine(440, 2.0, rate)] * channels, 1), rate, "FLAC", subtype)
    clip = sound(data, "a.flac", 0.0 if seconds else None, seconds)
    assert through(clip, *STAGES) is None
    assert not clip.untouched
    assert clip.encoded != data


def test_flac_that_does_not_tell_its_length_is_encoded_anew_so_that_it_does(
    sound: Make, sine: Make, audio_bytes: Make
) -> None:
    data = audio_bytes(sine(440, 2.0), RATE, "FLAC")
    fields = int.from_bytes(data[18:26], "big") >> 36 << 36
    clip = sound(data[:18] + fields.to_bytes(8, "big") + data[26:], "a.flac")
    assert through(clip, *STAGES) is None
    assert soundfile.info(io.BytesIO(clip.encoded)).frames == 2 * RATE


def test_a_damaged_flac_does_not_pass_through(sound: Make, melody: Make, audio_bytes: Make) -> None:
    data = bytearray(audio_bytes(melody(1, 2.0), RATE, "FLAC"))
    data[len(data) // 2] ^= 0x55
    assert ended(sound(bytes(data), "a.flac"), *STAGES) == ("normalize", "truncated")


def test_opus_is_made_of_everything(sound: Make, melody: Make, audio_bytes: Make) -> None:
    clip = sound(audio_bytes(melody(1, 2.0), RATE, "FLAC"), "a.flac")
    assert through(clip, *STAGES[:-1], Encode(codec="opus")) is None
    assert (clip.codec, clip.encoded[:4]) == ("opus", b"OggS")
    assert len(decode_pcm(clip.encoded, "opus")[0]) == 2 * RATE


def test_another_rate_may_be_asked_for(sound: Make, sine: Make, audio_bytes: Make) -> None:
    clip = sound(audio_bytes(sine(440, 2.0)))
    assert through(clip, Probe(), Duration(), Normalize(sample_rate=24_000), Measure(), Encode()) is None
    assert clip.pcm is not None
    assert (len(clip.pcm), clip.sample_rate, clip.seconds) == (48_000, 24_000, 2.0)


def test_a_member_of_a_tar_is_read_like_a_file(tmp_path: Path, melody: Make, audio_bytes: Make) -> None:
    data = audio_bytes(melody(2, 1.5), RATE, "FLAC")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("0.flac", "1.flac"):
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    for row in audio_files([tmp_path]).iter_rows(named=True):
        clip = Sound("a:1", Source(str(tmp_path / row["path"]), row["offset"], row["length"]))
        assert through(clip, *STAGES) is None
        assert clip.encoded == data


def test_a_tar_that_ends_within_a_member_drops_that_clip(
    tmp_path: Path, sine: Make, audio_bytes: Make
) -> None:
    data = audio_bytes(sine(440, 2.0))
    (tmp_path / "a.tar").write_bytes(bytes(512) + data[: len(data) // 2])
    clip = Sound("a:1", Source(str(tmp_path / "a.tar"), 512, len(data)))
    assert ended(clip, *STAGES) == ("normalize", "truncated")


def test_too_few_samples_to_resample_are_truncated(sound: Make, audio_bytes: Make) -> None:
    clip = sound(audio_bytes(np.zeros(1), 96_000))
    assert ended(clip, Probe(), Duration(shortest=0.0), Normalize()) == ("normalize", "truncated")


def test_broken_floats_become_silence(sound: Make, audio_bytes: Make) -> None:
    clip = sound(audio_bytes(np.full(2 * RATE, np.nan), RATE, "WAV", "FLOAT"))
    assert through(clip, *STAGES) is None
    assert clip.pcm is not None
    assert not clip.pcm.any()
    assert clip.measures is not None
    assert clip.measures.silence == 1.0


def test_a_channel_that_a_file_does_not_have_is_a_drop(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((RATE, 2), np.float32), RATE)
    clip = Sound("a:1", Source(str(tmp_path / "a.wav")), channel=3)
    assert Probe()(clip) is None
    assert Normalize()(clip) == Drop("channel", "3 of 2")
