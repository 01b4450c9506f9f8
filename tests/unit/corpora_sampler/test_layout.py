"""The three corpora look like the real ones: columns, splits, formats, sizes."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from captionstew.corpora.sampler import CORPORA
from captionstew.corpora.sampler.catalogue import audiocaps, clotho, wavcaps

Captions = dict[tuple[str, str], tuple[str, ...]]
Files = dict[tuple[str, str], Path]


def table(path: Path, encoding: str = "utf-8") -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file."""
    with path.open(encoding=encoding, newline="") as file:
        header, *rows = csv.reader(file)
    assert all(len(row) == len(header) for row in rows)
    return header, rows


@pytest.mark.parametrize(("split", "num_clips", "each"), [("train", 85, 1), ("val", 10, 5), ("test", 10, 5)])
def test_audiocaps_has_its_columns_and_captions(sampler: Path, split: str, num_clips: int, each: int) -> None:
    header, rows = table(sampler / "sampler-audiocaps" / "dataset" / f"{split}.csv")
    assert header == ["audiocap_id", "youtube_id", "start_time", "caption"]
    assert set(Counter(row[1] for row in rows).values()) == {each}
    assert len({row[1] for row in rows}) == num_clips
    assert len({int(row[0]) for row in rows}) == len(rows)
    assert all(len(row[1]) == 11 and int(row[2]) >= 0 for row in rows)


@pytest.mark.parametrize(
    ("split", "num_clips"), [("development", 42), ("validation", 10), ("evaluation", 10)]
)
def test_clotho_has_its_columns_and_captions(sampler: Path, split: str, num_clips: int) -> None:
    header, rows = table(sampler / "sampler-clotho" / f"clotho_captions_{split}.csv")
    assert header == ["file_name", *(f"caption_{number}" for number in range(1, 6))]
    assert len(rows) == len({row[0] for row in rows}) == num_clips
    assert all(row[0].endswith(".wav") and len(set(row[1:])) == 5 for row in rows)
    header, described = table(sampler / "sampler-clotho" / f"clotho_metadata_{split}.csv", "latin-1")
    columns = [
        "file_name",
        "keywords",
        "sound_id",
        "sound_link",
        "start_end_samples",
        "manufacturer",
        "license",
    ]
    assert header == columns
    assert [row[0] for row in described] == [row[0] for row in rows]
    for row in described:
        path = sampler / "sampler-clotho" / split / row[0]
        if path.exists():
            assert json.loads(row[4]) == [0, soundfile.info(path).frames]


def test_wavcaps_has_its_keys_and_true_durations(sampler: Path, files: Files) -> None:
    path = sampler / "sampler-wavcaps" / "json_files" / "AudioSet_SL" / "as_final.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["num_captions_per_audio"] == 1
    assert all(list(row) == ["id", "caption", "audio", "duration"] for row in content["data"])
    assert len({row["id"] for row in content["data"]}) == len(content["data"]) == 98
    for row in content["data"]:
        info = soundfile.info(files["sampler-wavcaps", row["id"].removesuffix(".wav")])
        assert info.duration == pytest.approx(row["duration"], abs=0.1)


def test_there_are_240_good_clips_of_some_36_minutes(sampler: Path) -> None:
    good = (*audiocaps(), *clotho(), *wavcaps())
    assert [len(audiocaps()), len(clotho()), len(wavcaps())] == [100, 60, 80]
    assert len({(clip.corpus, clip.name) for clip in good}) == 240
    assert len({clip.recording.key for clip in good}) == 240
    assert 35 <= sum(clip.recording.seconds for clip in good) / 60 <= 45
    assert sum(path.stat().st_size for path in sampler.rglob("*")) < 150e6


def test_splits_are_as_in_the_real_ones() -> None:
    assert Counter(clip.split for clip in audiocaps()) == {"train": 80, "val": 10, "test": 10}
    assert Counter(clip.split for clip in clotho()) == {"development": 40, "validation": 10, "evaluation": 10}
    assert Counter(clip.split for clip in wavcaps()) == {"train": 80}


def test_files_have_the_formats_that_the_catalogue_says(files: Files) -> None:
    for clip in (*audiocaps(), *clotho(), *wavcaps()):
        path = files[clip.corpus, clip.name if clip.corpus == CORPORA[1] else f"Y{clip.name}"]
        info = soundfile.info(path)
        assert path.suffix == clip.suffix
        assert (info.samplerate, info.channels) == (clip.recording.sample_rate, clip.recording.channels)
        assert info.duration == pytest.approx(clip.recording.seconds, abs=0.01)
    kinds = Counter((clip.suffix, clip.recording.sample_rate) for clip in wavcaps())
    assert kinds[".flac", 16000] >= 5, "some pass through without re-encoding"
    assert {suffix for suffix, _ in kinds} == {".flac", ".ogg", ".opus", ".mp3"}


def test_ids_begin_with_what_careless_readers_strip() -> None:
    assert {"Y", "-", "_", "s"} == {clip.name[0] for clip in audiocaps()}


def test_captions_are_of_human_length_and_wording(captions: Captions) -> None:
    for (corpus, name), texts in captions.items():
        assert len(set(texts)) == len(texts), name
        for text in texts:
            assert 4 <= len(text.split()) <= 20 or text == "", (name, text)
            assert text.isascii()
            assert not set("[]{}|") & set(text), text
            assert text == "" or (text[0].isupper() and text.endswith(".") == (corpus != CORPORA[0])), text
    everything = [text for texts in captions.values() for text in texts]
    assert len(set(everything)) > 0.9 * len(everything)
