"""ParaSpeechCaps: four corpora in one table, each with ids and sources of its own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile

from captionstew.corpora.facts import corpus
from captionstew.corpora.read import read
from captionstew.pipeline.sound import Sound, Source
from captionstew.stages.normalize import Normalize
from captionstew.stages.probe import Probe


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
    assert row["file"] == path.replace("_voicefixer", ""), "the original of a cleaned copy"


def test_cuts_of_a_conversation_know_their_place(tmp_path: Path) -> None:
    name = "ex01-ex02_default_001_channel2_segment_130.07_141.69"
    row = clip(tmp_path, "expresso", f"audio_48khz/conversational_vad_segmented/ex01-ex02/default/{name}.wav")
    assert (row["clip_id"], row["source_id"]) == (f"expresso:{name}", "expresso:ex01-ex02_default_001")
    assert (row["start"], row["end"], row["whole"], row["channel"]) == (130.07, 141.69, False, 2)


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


CUT = "ex01-ex02_default_001_channel2_segment_0.5_1.5"
PATHS = {
    "voxceleb": "voxceleb2/dev/aac/id00012/21Uxsk56VDQ/00001_voicefixer.wav",
    "ears": "p042/emo_x.wav",
    "expresso": f"audio_48khz/conversational_vad_segmented/ex01-ex02/default/{CUT}.wav",
    "emilia": "EN/EN_B00030/EN_B00030_S01984/mp3/EN_B00030_S01984_W000037.mp3",
}
IDS = {
    "voxceleb": "voxceleb2:id00012/21Uxsk56VDQ/00001",
    "ears": "ears:p042/emo_x",
    "expresso": f"expresso:{CUT}",
    "emilia": "emilia:EN_B00030_S01984_W000037",
}


@pytest.fixture
def native(tmp_path: Path) -> Path:
    """One clip of each source, and no audio."""
    rows = [{"source": one, "relative_audio_path": path, "text_description": ["Low."], "speakerid": "s"}
            for one, path in PATHS.items()]  # fmt: skip
    pl.DataFrame(rows).write_parquet(tmp_path / "dev-00000-of-00001.parquet")
    return tmp_path


def touch(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("voxceleb", "voxceleb2/dev/aac/id00012/21Uxsk56VDQ/00001_voicefixer.wav"),
        ("voxceleb", "voxceleb2/dev/aac/id00012/21Uxsk56VDQ/00001.m4a"),
        ("voxceleb", "dev/aac/id00012/21Uxsk56VDQ/00001.wav"),
        ("ears", "ears/p042/emo_x.wav"),
        ("ears", "p042/emo_x.wav"),
        ("emilia", "EN/EN_B00030/EN_B00030_S01984/mp3/EN_B00030_S01984_W000037.mp3"),
        ("emilia", "EN_B00030_S01984_W000037.mp3"),
        ("expresso", f"expresso/audio_48khz/conversational_vad_segmented/ex01-ex02/default/{CUT}.wav"),
    ],
)
def test_audio_is_found_as_its_sources_lay_it_out(
    source: str, file: str, native: Path, located: Callable[..., dict[str, Any]]
) -> None:
    touch(native, file)
    found = located("paraspeechcaps", native)
    assert {name: row["path"] for name, row in found.items()} == {IDS[source]: file}
    assert not found[IDS[source]]["whole"]
    assert found[IDS[source]]["channel"] is None


def test_a_cleaned_copy_is_better_than_the_original(
    native: Path, located: Callable[..., dict[str, Any]]
) -> None:
    folder = "voxceleb2/dev/aac/id00012/21Uxsk56VDQ"
    touch(native, f"{folder}/00001.m4a", f"{folder}/00001_voicefixer.wav")
    assert located("paraspeechcaps", native)[IDS["voxceleb"]]["path"] == f"{folder}/00001_voicefixer.wav"


def test_a_missing_cut_is_made_from_its_channel_of_the_conversation(
    native: Path, located: Callable[..., dict[str, Any]], sine: Callable[..., Any]
) -> None:
    path = native / "expresso/audio_48khz/conversational/ex01-ex02/default/ex01-ex02_default_001.wav"
    path.parent.mkdir(parents=True)
    other, wanted = sine(440, 2, 48_000, 0.8), sine(1000, 2, 48_000, 0.1)
    soundfile.write(path, np.stack([other, wanted], axis=1), 48_000, subtype="PCM_16")
    row = located("paraspeechcaps", native)[IDS["expresso"]]
    assert (row["path"], row["whole"], row["channel"]) == (path.relative_to(native).as_posix(), True, 2)
    sound = Sound("a:1", Source(str(path)), row["start"], row["end"], channel=row["channel"])
    assert Probe()(sound) is None
    assert Normalize()(sound) is None
    assert sound.pcm is not None
    spectrum = np.abs(np.fft.rfft(sound.pcm))
    assert (len(sound.pcm), int(spectrum.argmax())) == (16_000, 1000), (
        "one second, and only the second speaker"
    )
    assert spectrum[440] < 0.01 * spectrum[1000]


def test_a_cut_that_is_there_is_not_made_again(native: Path, located: Callable[..., dict[str, Any]]) -> None:
    touch(native, "audio_48khz/conversational/ex01-ex02/default/ex01-ex02_default_001.wav", PATHS["expresso"])
    row = located("paraspeechcaps", native)[IDS["expresso"]]
    assert (row["path"], row["whole"], row["channel"]) == (PATHS["expresso"], False, None)


def test_speakers_are_known_by_source_and_number(native: Path) -> None:
    rows = read(corpus("paraspeechcaps"), [native]).clips.collect()
    assert rows["speaker"].to_list() == ["voxceleb:s", "ears:s", "expresso:s", "emilia:s"]


def test_real_clips_are_found_under_a_name_of_the_table(
    real: Path, tmp_path: Path, located: Callable[..., dict[str, Any]]
) -> None:
    names = sorted(path.name for path in (real / "paraspeechcaps").glob("*.wav"))
    rows = [
        {"source": "ears", "relative_audio_path": f"p001/{name}", "text_description": ["Low."]}
        for name in names
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "holdout-00000-of-00001.parquet")
    found = located("paraspeechcaps", tmp_path, real / "paraspeechcaps")
    assert len(found) == len(names) == 20
    for row in found.values():
        sound = Sound(row["clip_id"], Source(str(real / "paraspeechcaps" / row["path"])))
        assert Probe()(sound) is None
        assert Normalize()(sound) is None
        assert sound.seconds > 1


def test_a_clip_whose_place_is_not_known_is_cut_from_nothing(
    native: Path, located: Callable[..., dict[str, Any]]
) -> None:
    touch(native, "videos/21Uxsk56VDQ.wav")
    assert located("paraspeechcaps", native) == {}
