"""A seeded corpus of mixed audio: FLAC, WAV, MP3 and Ogg, 16 to 48 kHz, mono and stereo, 2 to 60 s, with captions.

    python -m benchmarks.corpus OUT [--clips N | --hours H] [--seed N]

Writes OUT/raw/<clip>.<suffix> and OUT/clips.jsonl, a table that `captionstew build folder --from` reads. Every clip
is another sound. Some speech is in it where espeak-ng is installed.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

Samples = npt.NDArray[np.float32]

RATES, RATE_SHARES = (16_000, 22_050, 44_100, 48_000), (0.30, 0.15, 0.40, 0.15)
FORMATS, FORMAT_SHARES = ("flac", "wav", "mp3", "ogg"), (0.35, 0.25, 0.25, 0.15)
STEREO = 0.6  # of the clips at 44.1 and 48 kHz
LONG = 0.04  # of the clips: 30 to 60 s, the others log-normal around 10 s
SPEECH = 0.3
TYPICAL = 13.0  # s, the mean length that comes of it
_UTTERANCES = 60
_SUBJECTS = ("a dog", "rain", "a crowd", "an engine", "a guitar", "a woman", "thunder", "a bell", "the wind")
_VERBS = ("fades", "rumbles", "echoes", "starts and stops", "grows louder", "rings", "murmurs", "hisses")
_PLACES = ("far away", "in a hall", "near a road", "behind a door", "over music", "under a roof")


@dataclass(frozen=True)
class Mix:
    """Which corpus: the number of clips, and the seed that decides all else."""

    clips: int
    seed: int = 7


def store() -> Path:
    """Where the benchmarks keep the corpus from one run to the next."""
    return Path(tempfile.gettempdir()) / "captionstew-benchmark"


def make(out: Path, mix: Mix) -> Path:
    """The corpus at `out` has at least these clips; what is there is not made again."""
    table = out / "clips.jsonl"
    have = sum(1 for _ in table.open()) if table.is_file() else 0
    if have >= mix.clips:
        return out
    (out / "raw").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        speech = _speech(Path(folder), mix.seed)
        with ProcessPoolExecutor(initializer=_hold, initargs=(speech,)) as pool:
            lines = list(pool.map(partial(make_clip, mix.seed, out), range(have, mix.clips), chunksize=8))
    with table.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    return out


def excerpt(corpus: Path, clips: int, out: Path) -> Path:
    """A corpus of the first `clips` clips, linked."""
    (out / "raw").mkdir(parents=True)
    lines = (corpus / "clips.jsonl").read_text().splitlines()[:clips]
    for line in lines:
        name = json.loads(line)["audio"]
        try:
            os.link(corpus / name, out / name)
        except OSError:
            shutil.copy(corpus / name, out / name)
    (out / "clips.jsonl").write_text("".join(line + "\n" for line in lines))
    return out


def ready(corpus: Path, out: Path) -> Path:
    """The same corpus as 16 kHz mono FLAC, made with our own codec."""
    from captionstew.audio.codec import decode_mono, probe
    from captionstew.audio.encode import encode
    from captionstew.audio.signal import quantise, resample

    (out / "raw").mkdir(parents=True)
    lines = [json.loads(line) for line in (corpus / "clips.jsonl").read_text().splitlines()]
    for line in lines:
        data = (corpus / line["audio"]).read_bytes()
        form = probe(data)
        pcm = quantise(resample(decode_mono(data, form), form.sample_rate, 16_000))
        line["audio"] = str(Path(line["audio"]).with_suffix(".flac"))
        (out / line["audio"]).write_bytes(encode(pcm, 16_000, "flac"))
    (out / "clips.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return out


def make_clip(seed: int, out: Path, number: int) -> dict[str, Any]:
    """Clip `number` of the corpus, written, and its line of the table."""
    draw = np.random.default_rng([seed, number])
    short = float(np.clip(np.exp(draw.normal(np.log(10), 0.55)), 2, 30))
    seconds = draw.uniform(30, 60) if draw.random() < LONG else short
    rate = int(draw.choice(RATES, p=RATE_SHARES))
    suffix = str(draw.choice(FORMATS, p=FORMAT_SHARES))
    count = int(seconds * rate)
    samples = texture(draw, count, rate)
    if _SPOKEN and draw.random() < SPEECH:
        samples = 0.1 * samples + _talk(draw, count, rate)
    samples *= np.float32(10 ** draw.uniform(-1.2, -0.05) / (np.abs(samples).max() + 1e-9))
    if rate >= 44_100 and draw.random() < STEREO:
        samples = _stereo(draw, samples, rate)
    name = f"raw/clip{number:06d}.{suffix}"
    _write(out / name, samples, rate, suffix)
    pick = random.Random(f"{seed} {number}")
    captions = [_sentence(pick) for _ in range(pick.choice((1, 1, 1, 2, 5)))]
    return {"audio": name, "captions": captions, "duration": soundfile.info(out / name).duration}


def texture(draw: np.random.Generator, count: int, rate: int) -> Samples:
    """Shaped noise that swells, some tones and some strikes."""
    size = 1 << (count - 1).bit_length()
    hertz = np.fft.rfftfreq(size, 1 / rate)
    centre, width = np.exp(draw.uniform(4, 8.7)), draw.uniform(0.3, 2)
    shape = (hertz + 50) ** -draw.uniform(0.3, 1.4)
    shape += 0.02 * np.exp(-0.5 * (np.log2((hertz + 1) / centre) / width) ** 2)
    noise = np.fft.irfft(np.fft.rfft(draw.standard_normal(size)) * shape)[:count]
    time = np.arange(count) / rate
    noise *= 0.4 + 0.6 * np.abs(np.sin(2 * np.pi * draw.uniform(0.05, 1.5) * time + draw.uniform(0, 6)))
    samples = noise / (np.abs(noise).max() + 1e-9)
    for _ in range(draw.integers(0, 4)):
        lowest, swell = draw.uniform(110, 2500), np.sin(2 * np.pi * draw.uniform(0.1, 3) * time) ** 2
        for part in range(1, 5):
            if lowest * part < rate / 2:
                samples += 0.25 / part * swell * np.sin(2 * np.pi * lowest * part * time)
    for _ in range(draw.integers(0, 6)):
        at = int(draw.integers(0, max(1, count - rate // 8)))
        length = min(rate // 8, count - at)
        strike = draw.standard_normal(length) * np.exp(-np.linspace(0, 8, length))
        samples[at : at + length] += draw.uniform(0.3, 1) * strike
    made: Samples = samples.astype(np.float32)
    return made


_SPOKEN: list[Samples] = []


def _hold(speech: list[Samples]) -> None:
    _SPOKEN[:] = speech


def _speech(folder: Path, seed: int) -> list[Samples]:
    """Utterances at 48 kHz, none without espeak-ng."""
    if shutil.which("espeak-ng") is None:
        return []
    spoken = []
    for number in range(_UTTERANCES):
        pick, path = random.Random(f"{seed} speech {number}"), folder / f"{number}.wav"
        voice = ["-v", pick.choice(("en", "en-us", "de", "fr", "es")), "-s", str(pick.randint(120, 220))]
        text = ". ".join(_sentence(pick) for _ in range(3))
        subprocess.run(["espeak-ng", *voice, "-w", str(path), text], check=True, capture_output=True)
        samples, rate = soundfile.read(path, dtype="float32")
        spoken.append(soxr.resample(samples, rate, 48_000, quality="QQ"))
    return spoken


def _talk(draw: np.random.Generator, count: int, rate: int) -> Samples:
    parts: list[Samples] = []
    while sum(map(len, parts)) < count:
        parts.append(soxr.resample(_SPOKEN[int(draw.integers(len(_SPOKEN)))], 48_000, rate, quality="QQ"))
        parts.append(np.zeros(int(draw.uniform(0.1, 0.6) * rate), np.float32))
    talk: Samples = np.concatenate(parts)[:count]
    return talk


def _stereo(draw: np.random.Generator, samples: Samples, rate: int) -> Samples:
    pan = 0.5 + 0.4 * np.sin(np.linspace(0, draw.uniform(1, 9), len(samples), dtype=np.float32))
    late = np.roll(samples, int(draw.integers(1, rate // 500)))
    both: Samples = np.stack([samples * pan, late * (1 - pan)], axis=1).astype(np.float32)
    return both


def _write(path: Path, samples: Samples, rate: int, suffix: str) -> None:
    if suffix != "ogg":
        soundfile.write(path, samples, rate, subtype="MPEG_LAYER_III" if suffix == "mp3" else "PCM_16")
        return
    channels = 1 if samples.ndim == 1 else 2
    with soundfile.SoundFile(path, "w", rate, channels, format="OGG", subtype="VORBIS") as file:
        for at in range(0, len(samples), rate):  # libsndfile's Vorbis writer crashes on large blocks
            file.write(samples[at : at + rate])


def _sentence(pick: random.Random) -> str:
    words = [
        [pick.choice(list_) for list_ in (_SUBJECTS, _VERBS, _PLACES)] for _ in range(pick.randint(1, 4))
    ]
    text = " while ".join(" ".join(part) for part in words)
    return text[0].upper() + text[1:]


def main() -> None:
    """Make the corpus and say how long it is."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.corpus", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("out", type=Path)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--clips", type=int, default=2_000)
    size.add_argument("--hours", type=float)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    clips = options.clips if options.hours is None else round(options.hours * 3600 / TYPICAL)
    made = make(options.out, Mix(clips, options.seed))
    lines = [json.loads(line) for line in (made / "clips.jsonl").read_text().splitlines()]
    hours = sum(line["duration"] for line in lines) / 3600
    print(f"{len(lines)} clips, {hours:.2f} h, {made / 'clips.jsonl'}")


if __name__ == "__main__":
    main()
