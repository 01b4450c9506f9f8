"""The sound of a clip on a page."""

import io

import numpy as np
import pytest
import soundfile

from captionstew.audio.codec import Undecodable
from captionstew.audio.encode import encode
from captionstew.report.sound import _spectrogram, sound


def tone(seconds: float, rate: int = 16_000, hertz: float = 1000.0) -> np.ndarray:
    return (9000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
def test_some_seconds_of_a_clip_play_whatever_its_rate(rate: int) -> None:
    found = sound(encode(tone(2.0, rate), rate, "flac"), "flac", 1.5)
    assert found.seconds == pytest.approx(1.5, abs=1e-3)
    samples, opus_rate = soundfile.read(io.BytesIO(found.opus))
    assert len(samples) / opus_rate == pytest.approx(1.5, abs=0.01)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * opus_rate / len(samples) == pytest.approx(1000, rel=0.01)


def test_the_same_audio_gives_the_same_bytes() -> None:
    data = encode(tone(1.0), 16_000, "flac")
    assert sound(data, "flac", 10.0) == sound(data, "flac", 10.0)


def test_a_tone_is_a_bright_line_at_its_frequency() -> None:
    from PIL import Image

    found = sound(encode(tone(2.0, hertz=2000), 16_000, "flac"), "flac", 10.0)
    picture = np.asarray(Image.open(io.BytesIO(found.picture)).convert("L"), float)
    row = np.argmax(picture.mean(axis=1))
    place = dict(found.ticks)[2000]
    assert 1 - (row + 0.5) / len(picture) == pytest.approx(place, abs=0.02)
    assert [at for _, at in found.ticks] == sorted(at for _, at in found.ticks)


def test_the_outline_follows_the_peaks() -> None:
    pcm = np.concatenate([np.zeros(8000, np.int16), tone(0.5)])
    found = sound(encode(pcm, 16_000, "flac"), "flac", 10.0)
    heights = [20 - float(pair.split(",")[1]) for pair in found.outline[1:].split("L")[1:121]]
    assert max(heights[:55]) <= 1 < min(heights[65:])


@pytest.mark.parametrize("samples", [1, 10, 400])
def test_very_short_and_silent_clips_have_a_picture_too(samples: int) -> None:
    found = sound(encode(np.zeros(samples, np.int16), 16_000, "flac"), "flac", 10.0)
    assert found.picture.startswith(b"RIFF")
    assert "nan" not in found.outline


def test_the_data_are_small() -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 160_000).astype(np.int16)
    found = sound(encode(noise, 16_000, "flac"), "flac", 10.0)
    assert len(found.picture) < 16_000
    assert len(found.opus) < 60_000


def test_damaged_audio_is_said_to_be_so() -> None:
    with pytest.raises(Undecodable):
        sound(b"fLaC and nothing else", "flac", 10.0)


@pytest.mark.parametrize(("rate", "seconds"), [(8_000, 0.3), (16_000, 9.7), (44_100, 2.0)])
def test_the_spectrogram_is_that_of_librosa(rate: int, seconds: float) -> None:
    librosa = pytest.importorskip("librosa")
    pcm = (tone(seconds, rate) + np.random.default_rng(2).integers(-500, 500, round(seconds * rate))).astype(
        "i2"
    )
    levels, _ = _spectrogram(pcm, rate)
    window = {8_000: 512, 16_000: 1024, 44_100: 2048}[rate]
    hop = max(window // 16, -(-len(pcm) // 320))
    power = librosa.feature.melspectrogram(
        y=pcm.astype(np.float32) / 32768, sr=rate, n_fft=window, hop_length=hop, n_mels=96, fmax=rate / 2
    )
    expected = librosa.power_to_db(power, ref=float(power.max()), top_db=70) / 70 + 1
    np.testing.assert_allclose(levels, expected, atol=2e-4)
