"""Ids: every form, every trap, and agreement with the slow twins in `captionstew.clip`."""

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captionstew import clip
from captionstew.corpora import ids


def identified(
    form: str, *values: object, scheme: str = "", corpus: str = "mine"
) -> tuple[str, str, object, object]:
    table = pl.DataFrame({f"column {at}": [value] for at, value in enumerate(values)}, strict=False)
    key = ids.key(form, [pl.col(name) for name in table.columns], ids.scheme_of(form, scheme, corpus))
    row = table.select(
        clip=ids.clip_id(key.source, key.start), source=key.source, start=key.start, end=key.end
    ).row(0)
    return (row[0], row[1], row[2], row[3])


@pytest.mark.parametrize("video", ["Y_ab-cdefgh", "-_ab-cdefgh", "_Yab-cdefgh", "YYYYYYYYYYY", "abcdefghijk"])
def test_bare_video_ids_lose_nothing(video: str) -> None:
    assert identified("youtube", video, 30) == (f"yt:{video}@30", f"yt:{video}", 30.0, None)


@pytest.mark.parametrize("video", ["Yb_-cdefghi", "-b_-cdefghi", "_b_-cdefghi", "ab_-cdefghi"])
@pytest.mark.parametrize("suffix", ["", ".wav", ".flac"])
def test_exactly_one_leading_y_and_the_suffix_go(video: str, suffix: str) -> None:
    assert identified("youtube-y", f"Y{video}{suffix}") == (f"yt:{video}", f"yt:{video}", None, None)


@pytest.mark.parametrize("video", ["_a_b_c_d_e_", "-_2345678_9", "Y1234567890"])
def test_starts_are_split_from_the_right(video: str) -> None:
    assert identified("youtube-start", f"{video}_000030")[:3] == (f"yt:{video}@30", f"yt:{video}", 30.0)
    assert identified("youtube-start", f"{video}_000300.mp4")[:3] == (f"yt:{video}@300", f"yt:{video}", 300.0)
    assert identified("youtube-start-ms", f"{video}_30500")[:3] == (f"yt:{video}@30.5", f"yt:{video}", 30.5)


def test_the_third_number_is_a_duration_or_an_end_by_form() -> None:
    assert identified("youtube-start-duration", "_7Xe9vD3Hpg_4_10")[2:] == (4.0, 14.0)
    assert identified("youtube-start-end", "_7Xe9vD3Hpg_30_40.wav")[2:] == (30.0, 40.0)


@pytest.mark.parametrize("milliseconds", ["0", "7", "30", "999", "1000", "12345"])
def test_milliseconds_are_exact(milliseconds: str) -> None:
    assert identified("youtube-start-ms", f"abcdefghijk_{milliseconds}")[2] == float(milliseconds) / 1000


def test_sounds_of_archives_have_one_spelling() -> None:
    assert identified("freesound", 117790)[0] == "fs:117790"
    assert identified("freesound", "00117790")[0] == "fs:117790"
    assert identified("bbc", "nhu05104048")[0] == identified("bbc", "NHU05104048.wav")[0] == "bbc:NHU05104048"
    assert identified("jamendo", "1234567", 30, 60.5) == ("jam:1234567@30", "jam:1234567", 30.0, 60.5)


def test_own_names_keep_their_dots_and_paths_keep_their_suffix() -> None:
    assert identified("file", "FR.CTC.08.CoyuyoS.001.wav")[0] == "mine:FR.CTC.08.CoyuyoS.001"
    assert identified("path", "dogs/bark 1.WAV")[0] == "mine:dogs/bark 1.WAV"
    assert identified("file", "2219", scheme="soundbible")[0] == "soundbible:2219"


@pytest.mark.parametrize(
    ("form", "native"),
    [
        ("youtube", "../../x"), ("youtube", "too short"), ("youtube", "abcdefghijkl"), ("youtube", None),
        ("youtube-y", "YABCDEFGHIJ"), ("youtube-start", "abcdefghijk"),
        ("youtube-start-duration", "abcdefghijk_4"), ("freesound", "Not found"), ("key", "no scheme"),
    ],
)  # fmt: skip
def test_an_unreadable_id_is_kept_as_an_unsafe_one(form: str, native: str | None) -> None:
    clip_id = identified(form, native)[0]
    assert clip_id == f"?{native or ''}"
    assert not clip.is_safe_id(clip_id)


def test_another_scheme_may_have_ids_of_any_length() -> None:
    assert identified("youtube", "tone-1", 30, scheme="sampler")[0] == "sampler:tone-1@30"
    assert identified("youtube-y", "Ytone_1.wav", scheme="sampler")[0] == "sampler:tone_1"
    assert identified("youtube-start", "tone_1_000030", scheme="sampler")[0] == "sampler:tone_1@30"


@given(st.lists(st.floats(0, 1e7) | st.integers(0, 10**9).map(lambda tick: tick / 2000), min_size=1))
def test_seconds_are_written_as_the_slow_twin_writes_them(seconds: list[float]) -> None:
    table = pl.DataFrame({"seconds": seconds}, schema={"seconds": pl.Float64})
    texts = table.select(ids.seconds_text(pl.col("seconds")))["seconds"].to_list()
    assert texts == [clip.seconds_text(one) for one in seconds]


def test_safe_ids_are_those_of_the_slow_twin() -> None:
    draw = random.Random(1)
    pieces = [
        "a",
        "Y",
        "1",
        ":",
        "/",
        ".",
        "..",
        "\\",
        " ",
        "\t",
        "\n",
        "\x7f",
        "-",
        "\u00e9",
        "\u3000",
        "yt:",
        "fs:1",
    ]
    values = ["".join(draw.choices(pieces, k=draw.randrange(8))) for _ in range(5000)]
    values += ["a:" + "x" * 400, "a:" + "x" * 401, "yt:../../x", "fs:/etc/passwd", "fs:a//b", "fs:1\n", ""]
    safe = pl.DataFrame({"id": values}).select(ids.safe_id(pl.col("id")))["id"].to_list()
    assert safe == [clip.is_safe_id(value) for value in values]
    assert 0 < sum(safe) < len(safe)


def test_a_missing_id_is_not_safe() -> None:
    assert (
        pl.DataFrame({"id": [None]}, schema={"id": pl.String}).select(ids.safe_id(pl.col("id"))).item()
        is False
    )
