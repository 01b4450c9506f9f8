"""The native layouts: AudioCaps' CSVs, Clotho's CSVs, WavCaps' JSON, and their audio beside them."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from captionstew.corpora.sampler.catalogue import AUDIOCAPS, CLOTHO, WAVCAPS, Clip, audiocaps, clotho, wavcaps
from captionstew.corpora.sampler.containers import encoded
from captionstew.corpora.sampler.flaws import damaged, flawed, reworded, spoiled
from captionstew.corpora.sampler.words import sentence

_AUDIOCAPS = ("audiocap_id", "youtube_id", "start_time", "caption")
_CLOTHO_CAPTIONS = ("file_name", "caption_1", "caption_2", "caption_3", "caption_4", "caption_5")
_CLOTHO_METADATA = (
    "file_name", "keywords", "sound_id", "sound_link", "start_end_samples", "manufacturer", "license",
)  # fmt: skip
_PUBLIC_DOMAIN = "http://creativecommons.org/publicdomain/zero/1.0/"


def write(corpus: str, folder: Path) -> None:
    """All clips of one corpus of the sampler, in the layout of the real one."""
    {AUDIOCAPS: write_audiocaps, CLOTHO: write_clotho, WAVCAPS: write_wavcaps}[corpus](folder)


def clips(corpus: str) -> tuple[Clip, ...]:
    """The good clips and then the flawed ones of one corpus."""
    good = {AUDIOCAPS: audiocaps, CLOTHO: clotho, WAVCAPS: wavcaps}[corpus]()
    return (*good, *(clip for clip in flawed() if clip.corpus == corpus))


def write_audiocaps(folder: Path) -> None:
    """`dataset/{train,val,test}.csv`, one row per caption (val and test: five a clip), and the WAV files."""
    rows: dict[str, list[Sequence[object]]] = {"train": [], "val": [], "test": []}
    for number, (clip, captions, _) in enumerate(_stored(AUDIOCAPS, folder / "audio", "Y{}")):
        for turn, caption in enumerate(captions[: 1 if clip.split == "train" else 5]):
            key = 900_000 + 10 * number + turn
            rows[clip.split].append((key, clip.name, clip.start, sentence(caption, "")))
    for split, lines in rows.items():
        _write_csv(folder / "dataset" / f"{split}.csv", _AUDIOCAPS, lines)


def write_clotho(folder: Path) -> None:
    """`clotho_captions_<split>.csv` (five captions a clip), `clotho_metadata_<split>.csv`, WAV by split."""
    captioned: dict[str, list[Sequence[object]]] = {"development": [], "validation": [], "evaluation": []}
    described: dict[str, list[Sequence[object]]] = {split: [] for split in captioned}
    for number, (clip, captions, num_samples) in enumerate(_stored(CLOTHO, folder, "{}")):
        file_name, sound = f"{clip.name}.wav", 9_000_001 + number
        captioned[clip.split].append((file_name, *(sentence(caption, ".") for caption in captions[:5])))
        keywords = ";".join(word for word in clip.recording.maker.__name__.split("_") if word != "and")
        span = [0, num_samples]
        described[clip.split].append((file_name, keywords, sound, "", span, "captionstew", _PUBLIC_DOMAIN))
    for split in captioned:
        _write_csv(folder / f"clotho_captions_{split}.csv", _CLOTHO_CAPTIONS, captioned[split])
        _write_csv(folder / f"clotho_metadata_{split}.csv", _CLOTHO_METADATA, described[split], "latin-1")


def write_wavcaps(folder: Path) -> None:
    """`json_files/AudioSet_SL/as_final.json` with one caption a clip, and its files, most of them FLAC."""
    rows = []
    for clip, captions, num_samples in _stored(WAVCAPS, folder / "AudioSet_SL", "Y{}"):
        seconds = num_samples / clip.recording.sample_rate
        caption = sentence(captions[0].removesuffix("."), ".")
        name = f"Y{clip.name}.wav"
        rows.append({"id": name, "caption": caption, "audio": "wav_path", "duration": round(seconds, 3)})
    path = folder / "json_files" / "AudioSet_SL" / "as_final.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content: Mapping[str, Any] = {"num_captions_per_audio": 1, "data": rows}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _stored(corpus: str, folder: Path, pattern: str) -> Iterator[tuple[Clip, tuple[str, ...], int]]:
    """Writes each clip's file; gives the clip, its captions and its length in samples."""
    for clip in clips(corpus):
        sound, captions = clip.recording.make()
        home = folder / clip.split if corpus == CLOTHO else folder
        home.mkdir(parents=True, exist_ok=True)
        if clip.flaw != "missing":
            data = encoded(spoiled(clip, sound), clip.recording.sample_rate, clip.suffix)
            (home / (pattern.format(clip.name) + clip.suffix)).write_bytes(damaged(clip, data))
        yield clip, reworded(clip, captions), len(sound)


def _write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], encoding: str = "utf-8"
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
