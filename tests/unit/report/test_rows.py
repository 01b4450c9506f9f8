"""The pass over all rows, and the draw."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from captionstew.errors import StewError
from captionstew.report.rows import rows
from captionstew.report.sample import by_id, clips, drawn
from captionstew.report.source import Source
from captionstew.shards.release import Share

from .builds import caption, release, row


def test_every_row_counts_once_by_corpus_and_by_kind_of_caption(build: Source) -> None:
    found = rows(build, 3)
    assert {name: len(one.durations) for name, one in found.corpora.items()} == {"clotho": 6, "audiocaps": 4}
    assert found.corpora["clotho"].rates == {44_100: 6}
    assert found.corpora["clotho"].per_clip == {2: 5, 1: 1}
    assert {name: one.captions for name, one in found.kinds.items()} == {"human": 11, "generated": 4}
    assert found.kinds["generated"].lengths == {7: 4}
    assert {"small", "dog", "loudly"} <= found.kinds["generated"].vocabulary
    assert found.events == {"Dog": 10, "Rain": 10}


def test_a_clip_in_two_tiers_counts_once(tmp_path: Path) -> None:
    several = [row(number) for number in range(5)]
    both = release(tmp_path / "both", several, ("audio", "captions"))
    assert len(rows(both).corpora["clotho"].durations) == 5
    alone = release(tmp_path / "alone", several, ("captions",))
    assert rows(both).kinds == rows(alone).kinds


def test_tiers_that_hold_different_clips_are_both_read(tmp_path: Path) -> None:
    """Here the captions tier lacks clips that the audio tier has."""
    several = [row(number) for number in range(6)]
    made = release(tmp_path, several[:4], ("audio",))
    other = release(tmp_path / "other", several[2:], ("captions",))
    path = next((tmp_path / "other").rglob("*.parquet"))
    target = tmp_path / path.relative_to(tmp_path / "other")
    target.parent.mkdir(parents=True)
    path.rename(target)
    totals = [*made.manifest.totals, *other.manifest.totals]
    # Licenses tell that the tiers hold different clips: two of each alone, and two in both.
    halves = {name: Share(2, 0.001) for name in ("first", "both", "last")}
    licensed = [
        replace(total, licenses={name: halves[name] for name in names})
        for total, names in zip(totals, (("first", "both"), ("both", "last")), strict=True)
    ]
    files = (*made.manifest.files, *other.manifest.files)
    found = rows(Source(tmp_path, replace(made.manifest, files=files, totals=tuple(licensed))), 9)
    assert len(found.corpora["clotho"].durations) == 6
    assert len({place.clip_id for place in found.corpora["clotho"].drawn}) == 6


def test_the_draw_takes_of_each_corpus_in_turn_and_the_same_each_time(tmp_path: Path) -> None:
    several = (
        [row(n) for n in range(9)]
        + [row(n, "esc50") for n in range(20, 22)]
        + [row(n, "macs") for n in range(30, 35)]
    )
    made = release(tmp_path / "one", several)
    found = drawn(rows(made, 9), 9)
    counts = {
        name: sum(place.path.split("/")[2] == name for place in found) for name in ("clotho", "esc50", "macs")
    }
    assert counts == {"clotho": 4, "esc50": 2, "macs": 3}
    fewer = release(tmp_path / "two", several[1:])
    again = {place.clip_id for place in drawn(rows(fewer, 9), 9)}
    assert len(again & {place.clip_id for place in found}) >= 8
    assert len(drawn(rows(made, 40), 40)) == 16


def test_drawn_clips_come_with_sound_provenance_and_everything_in_their_rows(build: Source) -> None:
    found = {clip.clip_id: clip for clip in clips(build, drawn(rows(build, 10), 10))}
    assert len(found) == 10
    assert (found["fs:3"].audio or b"").startswith(b"fLaC")
    assert [made["verdict"] for made in found["fs:4"].made] == ["invented-sound"]
    assert found["fs:10"].made == ()
    assert found["fs:12"].row["license"] == "LicenseRef-YouTube"


def test_sound_is_found_in_the_audio_tier_where_captions_have_their_own(tmp_path: Path) -> None:
    both = release(tmp_path / "a", [row(number) for number in range(3)], ("audio", "captions"))
    assert all(clip.audio for clip in clips(both, drawn(rows(both, 3), 3)))
    alone = release(tmp_path / "b", [row(number) for number in range(3)], ("captions",))
    assert not any(clip.audio for clip in clips(alone, drawn(rows(alone, 3), 3)))


def test_clips_are_found_by_their_ids(build: Source) -> None:
    assert [clip.clip_id for clip in by_id(build, ["fs:11", "fs:2", "fs:nowhere"])] == ["fs:11", "fs:2"]


def test_clips_without_captions_or_events_are_rows_too(tmp_path: Path) -> None:
    made = release(tmp_path, [row(1, captions=[], events=[]), row(2, captions=[caption("", "clotho")])])
    found = rows(made, 2)
    assert found.corpora["clotho"].per_clip == {0: 1, 1: 1}
    assert found.kinds["human"].lengths == {0: 1}


def test_a_build_of_another_version_is_named_with_what_it_lacks(tmp_path: Path) -> None:
    made = release(tmp_path, [row(1)])
    path = tmp_path / made.manifest.files[0].path
    pq.write_table(pq.read_table(path).drop_columns(["events"]), path)
    with pytest.raises(StewError, match="has no column events") as error:
        rows(made)
    assert "build it again" in error.value.hint
