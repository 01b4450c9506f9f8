"""ParaSpeechCaps: four corpora in one table, each with ids and sources of its own."""

from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.read import read


def clip(place: Path, source: str, path: str, split: str = "dev") -> dict[str, object]:
    (place / "data").mkdir()
    table = pl.DataFrame(
        {"source": [source], "relative_audio_path": [path], "text_description": [["A man speaks."]]},
    )
    table.write_parquet(place / "data" / f"{split}-00000-of-00002.parquet")
    return read(corpus("paraspeechcaps"), [place]).clips.collect().row(0, named=True)


@pytest.mark.parametrize(
    ("source", "path", "clip_id", "source_id"),
    [
        ("voxceleb", "voxceleb1/test/wav/id10270/x6uYqmx31kE/00001.wav",
         "voxceleb1:id10270/x6uYqmx31kE/00001", "yt:x6uYqmx31kE"),
        ("VoxCeleb", "voxceleb2/dev/aac/id00012/-_Uxsk56VDQ/00001_voicefixer.wav",
         "voxceleb2:id00012/-_Uxsk56VDQ/00001", "yt:-_Uxsk56VDQ"),
        ("ears", "p042/emo_adoration_freeform.wav", "ears:p042/emo_adoration_freeform",
         "ears:p042/emo_adoration_freeform"),
        ("expresso", "audio_48khz/read/ex01/confused/base/ex01_confused_00001.wav",
         "expresso:ex01_confused_00001", "expresso:ex01_confused_00001"),
        ("emilia", "EN/EN_B00030/EN_B00030_S01984/mp3/EN_B00030_S01984_W000037.mp3",
         "emilia:EN_B00030_S01984_W000037", "emilia:EN_B00030_S01984_W000037"),
        ("radio", "a/b.wav", "?", "?"),
    ],
)  # fmt: skip
def test_ids_follow_the_source(source: str, path: str, clip_id: str, source_id: str, tmp_path: Path) -> None:
    row = clip(tmp_path, source, path)
    assert (row["clip_id"], row["source_id"]) == (clip_id, source_id)
    assert row["file"] == path


def test_cuts_of_a_conversation_know_their_place(tmp_path: Path) -> None:
    name = "ex01-ex02_default_001_channel2_segment_130.07_141.69"
    row = clip(tmp_path, "expresso", f"audio_48khz/conversational_vad_segmented/ex01-ex02/default/{name}.wav")
    assert (row["clip_id"], row["source_id"]) == (f"expresso:{name}", "expresso:ex01-ex02_default_001")
    assert (row["start"], row["end"], row["whole"]) == (130.07, 141.69, False)


@pytest.mark.parametrize(
    ("native", "split"),
    [("train_base", "train"), ("train_scaled", "train"), ("dev", "val"), ("holdout", "test")],
)
def test_splits_have_our_names(native: str, split: str, tmp_path: Path) -> None:
    assert clip(tmp_path, "ears", "p042/a.wav", native)["split"] == split


@pytest.mark.parametrize(
    ("source", "license"),
    [("voxceleb", "LicenseRef-VoxCeleb"), ("emilia", "LicenseRef-Emilia"), ("ears", "CC-BY-NC-4.0"),
     ("radio", "LicenseRef-unknown")],
)  # fmt: skip
def test_each_source_has_its_licence(source: str, license: str, tmp_path: Path) -> None:
    assert clip(tmp_path, source, "voxceleb1/dev/wav/id1/x6uYqmx31kE/1.wav")["license"] == license
