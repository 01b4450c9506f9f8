"""Every flaw is there as often as the table says, and is what it says."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from captionstew.corpora.sampler import CORPORA
from captionstew.corpora.sampler.catalogue import Clip, audiocaps, clotho, wavcaps
from captionstew.corpora.sampler.flaws import NUM_FLAWS, flawed

Captions = dict[tuple[str, str], tuple[str, ...]]
Files = dict[tuple[str, str], Path]


def of(flaw: str) -> list[Clip]:
    """The clips with that flaw; at least one."""
    clips = [clip for clip in flawed() if clip.flaw == flaw]
    assert clips
    return clips


def stem(clip: Clip) -> tuple[str, str]:
    """What the clip's file and captions are found by."""
    return clip.corpus, clip.name if clip.corpus == CORPORA[1] else f"Y{clip.name}"


def original(copy: Clip) -> Clip:
    """The good clip with the same recording."""
    (clip,) = (clip for clip in (*audiocaps(), *clotho(), *wavcaps()) if clip.recording == copy.recording)
    return clip


def pcm(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """The decoded samples."""
    return np.asarray(soundfile.read(path, dtype="int16")[0], np.int16)


def test_flaws_are_counted_exactly() -> None:
    assert Counter(clip.flaw for clip in flawed()) == NUM_FLAWS
    assert len({stem(clip) for clip in flawed()}) == sum(NUM_FLAWS.values())


def test_merged_clips_have_one_id_in_two_corpora_and_other_words(captions: Captions, files: Files) -> None:
    for clip in of("merged"):
        first, second = (CORPORA[0], f"Y{clip.name}"), (CORPORA[2], f"Y{clip.name}")
        assert files[first].suffix == ".wav"
        assert files[second].suffix == ".flac"
        assert set(captions[first]).isdisjoint(text.removesuffix(".") for text in captions[second])
        assert original(clip).split == "train"


def test_the_leak_is_a_training_row_of_a_test_clip() -> None:
    (clip,) = of("leak")
    assert (clip.corpus, clip.split) == (CORPORA[2], "train")
    assert (original(clip).name, original(clip).split) == (clip.name, "test")


def test_duplicates_are_the_same_samples_under_another_id(files: Files) -> None:
    assert sorted(clip.corpus for clip in of("duplicate")) == list(CORPORA)
    for clip in of("duplicate"):
        assert clip.name != original(clip).name
        assert np.array_equal(pcm(files[stem(clip)]), pcm(files[stem(original(clip))]))


def test_re_encoded_copies_sound_the_same_but_are_not(files: Files) -> None:
    assert {clip.suffix for clip in of("re-encoded")} == {".mp3", ".ogg"}
    for clip in of("re-encoded"):
        copy, first = pcm(files[stem(clip)]).astype(float), pcm(files[stem(original(clip))]).astype(float)
        assert clip.name != original(clip).name
        assert not np.array_equal(copy, first)
        size = min(len(copy), len(first))
        assert np.corrcoef(copy[:size].ravel(), first[:size].ravel())[0, 1] > 0.9


def test_silent_files_are_silent(files: Files) -> None:
    assert sorted(int(np.abs(pcm(files[stem(clip)])).max()) for clip in of("silent")) == [0, 1]


def test_the_truncated_file_promises_more_than_it_holds(files: Files) -> None:
    (clip,) = of("truncated")
    data = files[stem(clip)].read_bytes()
    assert soundfile.info(io.BytesIO(data)).duration == clip.recording.seconds
    try:
        frames = len(soundfile.read(io.BytesIO(data))[0])
    except soundfile.LibsndfileError:
        frames = 0
    assert frames < 0.9 * clip.recording.seconds * clip.recording.sample_rate


def test_what_is_no_audio_cannot_be_opened(files: Files) -> None:
    (clip,) = of("not-audio")
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.info(files[stem(clip)])


def test_missing_files_are_missing_and_annotated(captions: Captions, files: Files) -> None:
    assert [stem(clip) in files for clip in of("missing")] == [False, False]
    assert all(captions[stem(clip)] for clip in of("missing"))


def test_lengths_are_too_short_and_too_long(files: Files) -> None:
    (short,), (long,) = of("short"), of("long")
    assert soundfile.info(files[stem(short)]).duration == pytest.approx(0.3)
    assert soundfile.info(files[stem(long)]).duration == pytest.approx(75)
    assert files[stem(long)].stat().st_size < 300_000


def test_captions_that_are_none(captions: Captions) -> None:
    assert all(captions[stem(clip)][0].startswith(("As an AI", "I'm sorry")) for clip in of("refusal"))
    assert all("Here is a caption based on" in captions[stem(clip)][0] for clip in of("residue"))
    assert [captions[stem(clip)] for clip in of("empty")] == [("",)]
