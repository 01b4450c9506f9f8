"""Cuts as rows: what is taken, what is refused, and that what a stranger writes breaks no more than its own row."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.interchange.cuts import Defaults, Row, Unfit, row
from captionstew.interchange.said import Caption

DEFAULTS = Defaults({"train": "train", "dev": "val", "test": "test"})


def cut(**changes: Any) -> dict[str, Any]:
    """A cut that is all of a recording, as the authors of CaptionStew write them."""
    made = {
        "id": "BBCSoundEffects_1", "start": 0.0, "duration": 5.0, "channel": 0, "type": "MonoCut",
        "supervisions": [{"id": "s", "recording_id": "r", "start": 0.0, "duration": 5.0, "channel": 0,
                          "custom": {"caption": ["Rain falls.", "Heavy rain"]}}],
        "recording": {"id": "r", "sources": [{"type": "file", "channels": [0], "source": "bbc/1.flac"}],
                      "sampling_rate": 16000, "num_samples": 80000, "duration": 5.0, "channel_ids": [0]},
    }  # fmt: skip
    return made | changes


def recording(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = cut()["recording"]
    return made | changes


def stereo(*channels: int) -> dict[str, Any]:
    return recording(sources=[{"type": "file", "channels": list(channels), "source": "a.wav"}])


def supervised(**fields: Any) -> list[dict[str, Any]]:
    return [{"id": "s", "start": 0, "duration": 5, "custom": fields.pop("custom", {}), **fields}]


def made(**changes: Any) -> Row:
    return row(cut(**changes), DEFAULTS)


def test_a_whole_recording_is_its_file() -> None:
    found = made()
    assert (found.id, found.source, found.path) == ("folder:BBCSoundEffects_1", "folder:r", "bbc/1.flac")
    assert (found.start, found.end, found.channel, found.split) == (None, None, None, "train")
    assert [caption.text for caption in found.captions] == ["Rain falls.", "Heavy rain"]


def test_a_part_of_a_recording_has_its_place_there() -> None:
    found = made(start=1.25, duration=2.0)
    assert (found.start, found.end, found.channel) == (1.25, 3.25, None)


@pytest.mark.parametrize(
    ("channel", "recorded", "taken"),
    [(1, (0, 1), 2), (0, (0, 1), 1), ([0, 1], (0, 1), None), (3, (3,), None), ([1], (0, 1), 2)],
)
def test_channels_count_from_one_and_all_of_them_are_none(
    channel: Any, recorded: tuple[int, ...], taken: int | None
) -> None:
    found = made(channel=channel, recording=stereo(*recorded))
    assert found.channel == taken
    assert (found.start, found.end) == ((None, None) if taken is None else (0.0, 5.0))


def test_the_file_with_the_channel_is_taken() -> None:
    sources = [{"type": "file", "channels": [n], "source": f"{n}.wav"} for n in (0, 1)]
    assert made(channel=1, recording=recording(sources=sources)).path == "1.wav"


@pytest.mark.parametrize(
    ("custom", "texts"),
    [
        ({"caption": "one"}, ["one"]),
        ({"caption": ["one", "two", "one", " ", 3, None]}, ["one", "two"]),
        ({"captions": ["one"], "caption": "two"}, ["one", "two"]),
        ({}, []),
        ({"caption": {"deep": 1}}, []),
    ],
)
def test_captions_are_a_text_or_a_list(custom: dict[str, Any], texts: list[str]) -> None:
    found = made(supervisions=supervised(custom=custom))
    assert [caption.text for caption in found.captions] == texts


def test_captions_of_the_cut_itself_count_as_well() -> None:  # UTS has them there
    found = made(supervisions=[], custom={"caption": ["one"], "audio_tag": ["rain"]})
    assert [caption.text for caption in found.captions] == ["one"]
    assert found.tags == ["rain"]


def test_captions_keep_what_is_known_of_their_writer() -> None:
    captions = [
        {"text": "one", "style": "machine", "model": "m"}, {"text": "due", "style": "?", "language": "it"},
    ]  # fmt: skip
    found = made(supervisions=supervised(custom={"captions": captions, "caption": ["one", "due"]}))
    assert found.captions == (Caption("one", "machine", "m"), Caption("due", "human", None, "it"))


def test_the_text_is_what_is_said() -> None:
    one, two = supervised(text="good", speaker="a") + supervised(text="day", speaker="a")
    found = made(supervisions=[one, two])
    assert (found.transcript, found.speaker, found.captions) == ("good day", "a", ())
    assert made(supervisions=[one, {**two, "speaker": "b"}]).speaker is None


def test_a_source_that_is_no_audio_file_gives_way_to_the_recording() -> None:  # UTS has the corpus there
    sources = [{"type": "file", "channels": [0], "source": "AudioSet"}]
    assert made(recording=recording(id="Yabc", sources=sources)).path == "Yabc"


def test_only_labels_without_doubt_are_events() -> None:
    events = [{"label": "Dog", "score": 1.0}, {"label": "Cat", "score": 0.4}, "Bird", 7]
    assert made(supervisions=supervised(custom={"events": events})).events == ["Dog", "Bird"]


def test_cuts_of_our_own_exports_keep_their_ids() -> None:
    custom = {"clip_id": "yt:abc@30", "source_id": "yt:abc", "license": "CC-BY-4.0", "split": "dev"}
    found = made(id="yt:abc@30", custom=custom)
    assert (found.id, found.source, found.license, found.split) == (
        "yt:abc@30", "yt:abc", "CC-BY-4.0", "val",
    )  # fmt: skip
    assert made(id="other", custom=custom).id == "folder:other"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "MixedCut", "tracks": []}, "mixed"),
        ({"type": "PaddingCut"}, "mixed"),
        ({"type": "Features"}, "no-cut"),
        ({"type": ["MonoCut"]}, "no-cut"),
        ({"sources": []}, "no-cut"),
        ({"recording": None}, "no-recording"),
        ({"recording": recording(sources=[{"type": "command", "channels": [0], "source": "id"}])}, "source"),
        (
            {"recording": recording(sources=[{"type": "url", "channels": [0], "source": "http://a"}])},
            "source",
        ),
        ({"recording": recording(sources=[])}, "source"),
        ({"recording": recording(transforms=[{"name": "Speed", "kwargs": {"factor": 0.9}}])}, "transformed"),
        ({"channel": 2}, "channels"),
        ({"channel": [0, 1], "recording": stereo(0, 1, 2)}, "channels"),
        ({"channel": {"a": []}}, "channels"),
        ({"channel": 300, "recording": stereo(*range(400))}, "channels"),
        ({"start": 4.0}, "interval"),
        ({"start": -1.0}, "interval"),
        ({"duration": 0}, "interval"),
        ({"duration": "5"}, "interval"),
        ({"duration": 10**400}, "interval"),
        ({"duration": True}, "interval"),
        ({"id": 7}, "id"),
        ({"id": "../../etc/passwd"}, "id"),
        ({"id": "a\nb"}, "id"),
        ({"recording": recording(id=None)}, "id"),
        ({"recording": recording(sources=[{"type": "file", "channels": [0], "source": "a\0.wav"}])}, "path"),
        ({"custom": {"split": "holdout"}}, "split"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unfit) as unfit:
        made(**changes)
    assert unfit.value.reason == reason


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "start", "duration", "channel", "type", "supervisions", "recording", "custom")
INSIDE = ("id", "sources", "duration", "transforms", "custom")
CUSTOM = ("caption", "captions", "events", "tags", "split", "license", "clip_id", "source_id", "domain")


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON),
    st.dictionaries(st.sampled_from(INSIDE), JSON),
    st.dictionaries(st.sampled_from(CUSTOM), JSON),
)
def test_whatever_a_field_holds_the_cut_is_a_row_or_refused(
    outer: dict[str, Any], inner: dict[str, Any], custom: dict[str, Any]
) -> None:
    given = cut(recording=recording(**inner), supervisions=supervised(custom=custom)) | outer
    try:
        found = row(given, DEFAULTS)
    except Unfit:
        return
    assert all(caption.text.strip() for caption in found.captions)
    assert found.split in {"train", "val", "test"}
