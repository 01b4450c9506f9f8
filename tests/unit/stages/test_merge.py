"""Merge: one clip per key; the first corpus keeps it, and all captions come together."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from captionstew.enrich.ontology import ontology
from captionstew.stages.merge import Merge

Make = Callable[..., Any]


def test_rows_of_one_clip_become_one_and_captions_follow(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "yt:a@30", "corpus": "audiocaps", "start": 30.0},
            {"clip_id": "yt:b@0", "corpus": "audiocaps", "start": 0.0},
            {"clip_id": "yt:a@30", "corpus": "musiccaps", "start": 30.0},
            {"clip_id": "yt:a@30", "corpus": "audiocaps", "start": 30.0},
        ],
        [
            {"rank": 0, "text": "one"},
            {"rank": 1, "text": "two"},
            {"rank": 2, "text": "three"},
            {"rank": 3, "text": "four"},
        ],
    )
    found = run(Merge(), given)
    assert found.kept == ["yt:a@30", "yt:b@0"]
    assert found.clips.sort("rank")["corpus"].to_list() == ["audiocaps", "audiocaps"]
    assert found.dropped == [("yt:a@30", "merged"), ("yt:a@30", "merged")]
    assert found.drops["detail"].to_list() == ["yt:a@30", "yt:a@30"]
    assert found.texts == [(0, "one"), (0, "three"), (0, "four"), (1, "two")]
    assert found.captions.sort("origin")["origin"].to_list() == [0, 1, 2, 3]


def test_the_same_text_stays_once_and_the_human_one_wins(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "yt:a@30", "corpus": name, "start": 30.0}
            for name in ("audiosetcaps-audioset", "audiocaps", "musiccaps")
        ],
        [
            {"rank": 0, "text": "rain", "style": "machine", "source": "audiosetcaps-audioset"},
            {"rank": 1, "text": "rain", "source": "audiocaps"},
            {"rank": 2, "text": "rain", "source": "musiccaps"},
            {"rank": 2, "text": "Rain", "place": 1, "source": "musiccaps"},
        ],
    )
    found = run(Merge(), given)
    assert found.captions.sort("origin").select("source", "text", "style").rows() == [
        ("audiocaps", "rain", "human"),
        ("musiccaps", "Rain", "human"),
    ]
    assert sorted(found.caption_drops.select("corpus", "reason").rows()) == [
        ("audiosetcaps-audioset", "duplicate"),
        ("musiccaps", "duplicate"),
    ]


def test_among_machine_captions_the_earlier_corpus_wins(tables: Make, run: Make) -> None:
    given = tables(
        [{"clip_id": "yt:a@30", "corpus": name, "start": 30.0} for name in ("x", "y")],
        [
            {"rank": 1, "text": "rain", "style": "machine", "source": "y"},
            {"rank": 0, "text": "rain", "style": "machine", "source": "x"},
        ],
    )
    assert run(Merge(), given).captions["source"].to_list() == ["x"]


def test_the_same_text_on_two_clips_stays_on_both(tables: Make, run: Make) -> None:
    given = tables(
        [{"clip_id": "yt:a@30", "start": 30.0}, {"clip_id": "yt:a@40", "start": 40.0, "source_id": "yt:a"}],
        [{"rank": 0, "text": "rain"}, {"rank": 1, "text": "rain"}],
    )
    found = run(Merge(), given)
    assert found.texts == [(0, "rain"), (1, "rain")]
    assert found.dropped == []


def test_a_row_without_a_start_joins_the_only_clip_of_its_video(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "yt:a@30", "source_id": "yt:a", "start": 30.0},
            {"clip_id": "yt:a", "source_id": "yt:a", "corpus": "audiosetcaps"},
        ],
        [{"rank": 0, "text": "rain"}, {"rank": 1, "text": "rain falls", "style": "machine"}],
    )
    found = run(Merge(), given)
    assert found.kept == ["yt:a@30"]
    assert found.texts == [(0, "rain"), (0, "rain falls")]
    assert found.drops.select("clip_id", "reason", "detail").rows() == [("yt:a", "merged", "yt:a@30")]


def test_the_clip_whose_start_is_known_keeps_its_place_whatever_its_rank(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "yt:a", "source_id": "yt:a", "corpus": "audiosetcaps"},
            {"clip_id": "yt:a", "source_id": "yt:a", "corpus": "wavcaps"},
            {"clip_id": "yt:a@30", "source_id": "yt:a", "start": 30.0},
            {"clip_id": "yt:a@30", "source_id": "yt:a", "start": 30.0},
        ],
        [{"rank": rank, "text": f"caption {rank}"} for rank in range(4)],
    )
    found = run(Merge(), given)
    assert found.clips["rank"].to_list() == [2]
    assert found.texts == [(2, f"caption {rank}") for rank in range(4)]


def test_a_row_without_a_start_joins_none_where_there_are_two(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "yt:a@30", "source_id": "yt:a", "start": 30.0},
            {"clip_id": "yt:a@60", "source_id": "yt:a", "start": 60.0},
            {"clip_id": "yt:a", "source_id": "yt:a"},
            {"clip_id": "yt:a", "source_id": "yt:a"},
        ],
    )
    found = run(Merge(), given)
    assert found.kept == ["yt:a@30", "yt:a@60", "yt:a"]
    assert len(found.dropped) == 1


def test_an_upload_without_a_start_is_not_taken_for_an_excerpt_of_it(tables: Make, run: Make) -> None:
    given = tables(
        [
            {"clip_id": "clotho:development/a", "source_id": "fs:7", "start": 3.5},
            {"clip_id": "esc50:1-7-A", "source_id": "fs:7"},
            {"clip_id": "fs:7", "source_id": "fs:7"},
        ],
    )
    assert run(Merge(), given).kept == ["clotho:development/a", "esc50:1-7-A", "fs:7"]


def video(start: float | None, end: float | None = None, **more: Any) -> dict[str, Any]:
    """A window of one video."""
    clip_id = "yt:a" if start is None else f"yt:a@{start:g}"
    return {"clip_id": clip_id, "source_id": "yt:a", "start": start, "end": end} | more


def test_seven_corpora_about_the_same_ten_seconds_make_one_clip_with_seven_captions(
    tables: Make, run: Make
) -> None:
    given = tables(
        [
            video(30, None, corpus="audiocaps"),
            video(30, 40, corpus="audiosetcaps-audioset"),
            video(30, 40, corpus="fusionaudio"),
            video(29.999, None, corpus="wavcaps-audioset"),
            video(None, None, corpus="auto-acd"),
            video(None, None, corpus="sound-vecaps"),
            video(30.5, 40.5, corpus="musiccaps"),
            video(60, 70, corpus="audiosetcaps-youtube8m"),
        ],
        [{"rank": rank, "text": f"caption {rank}"} for rank in range(8)],
    )
    found = run(Merge(), given)
    # Two windows: the rows without a start cannot say which they are about, and stay a clip of their own.
    assert found.kept == ["yt:a@30", "yt:a", "yt:a@60"]
    assert [text for rank, text in found.texts if rank == 0] == [f"caption {n}" for n in (0, 1, 2, 3, 6)]
    alone = tables(
        given.clips.collect().head(7).to_dicts(),
        [{"rank": rank, "text": f"caption {rank}"} for rank in range(7)],
    )
    found = run(Merge(), alone)
    assert found.kept == ["yt:a@30"]
    assert found.texts == [(0, f"caption {rank}") for rank in range(7)]
    assert set(found.drops["detail"]) == {"yt:a@30"}


def test_different_windows_of_a_video_stay_clips_of_one_recording(tables: Make, run: Make) -> None:
    found = run(Merge(), tables([video(30, 40), video(31, 41), video(35, 45)]))
    assert found.kept == ["yt:a@30", "yt:a@31", "yt:a@35"]
    assert set(found.clips["source_id"]) == {"yt:a"}
    assert run(Merge(same=0.8), tables([video(30, 40), video(31, 41)])).kept == ["yt:a@30"]


def test_a_row_of_another_length_does_not_lend_its_captions(tables: Make, run: Make) -> None:
    given = tables(
        [video(30, 40), video(30, 60), video(30, 39.5), video(30)],
        [{"rank": rank, "text": f"caption {rank}"} for rank in range(4)],
    )
    found = run(Merge(), given)
    assert found.dropped == [("yt:a@30", "other-length"), ("yt:a@30", "merged"), ("yt:a@30", "merged")]
    assert [text for rank, text in found.texts if rank == 0] == ["caption 0", "caption 2", "caption 3"]


def test_speech_and_altered_music_cut_from_a_video_are_files_of_their_own(tables: Make, run: Make) -> None:
    own = {"source_id": "yt:a", "corpus": "paraspeechcaps"}
    given = tables(
        [
            video(30, 40),
            own | {"clip_id": "voxceleb2:id1/a/00001"},
            own | {"clip_id": "voxceleb2:id1/a/00002"},
            own | {"clip_id": "musicbench:a_1", "start": 30.0, "end": 40.0},
            own | {"clip_id": "musicbench:a_2", "start": 30.1, "end": 40.1},
        ],
    )
    assert run(Merge(), given).dropped == []


def test_captions_keep_their_number_within_a_row(tables: Make, run: Make) -> None:
    given = tables(
        [{"clip_id": "clotho:a"}],
        [{"rank": 0, "place": place, "text": f"{9 - place}"} for place in (3, 1, 0, 4, 2)],
    )
    assert [text for _, text in run(Merge(), given).texts] == ["9", "8", "7", "6", "5"]


def test_the_order_of_rows_in_a_table_does_not_matter(tables: Make, run: Make) -> None:
    draw = random.Random(0)
    clips = [{"rank": rank, "clip_id": f"yt:{draw.randrange(40)}@{draw.randrange(2)}"} for rank in range(300)]
    for clip in clips:
        clip |= {"source_id": str(clip["clip_id"]).split("@")[0], "start": float(str(clip["clip_id"])[-1])}
        if draw.random() < 0.3:
            clip |= {"clip_id": clip["source_id"], "start": None}
    captions = [
        {"rank": rank, "text": f"text {draw.randrange(5)}", "style": draw.choice(["human", "machine"])}
        for rank in range(300)
    ]
    results = []
    for _ in range(3):
        found = run(Merge(), tables(clips, captions))
        results.append(
            (
                found.clips.sort("rank").rows(),
                found.captions.sort("rank", "origin", "place").rows(),
                found.drops.sort("rank").rows(),
            )
        )
        draw.shuffle(clips)
        draw.shuffle(captions)
    assert results[0] == results[1] == results[2]
    clip_ids = [row[1] for row in results[0][0]]
    assert len(clip_ids) == len(set(clip_ids))


def test_nothing_merges_into_nothing(tables: Make, run: Make) -> None:
    found = run(Merge(), tables([], []))
    assert found.kept == []
    assert "origin" in found.captions.columns
    assert found.captions.schema["rank"] == pl.UInt64


def test_events_and_tags_of_all_rows_come_together_each_class_once(tables: Make, run: Make) -> None:
    first, second = {"clip_id": "yt:a@30", "start": 30.0}, {"clip_id": "yt:b@0", "start": 0.0}
    barks, rains = [event("dog barking"), event("odd")], [event("/m/06mb1"), event("Wind", 0.9)]
    given = tables(
        [
            first | {"corpus": "audiocaps", "tags": ["loud"]},
            second | {"corpus": "audiocaps", "events": [event("Rain", 0.5)]},
            first | {"corpus": "audioset", "events": [event("Dog"), event("/m/0bt9lr", 0.4)]},
            first | {"corpus": "vggsound", "events": barks, "tags": ["outside", "loud"]},
            second | {"corpus": "audioset", "events": rains},
            {"clip_id": "yt:c@0", "corpus": "vggsound", "start": 0.0, "events": barks[:1]},
        ]
    )
    assert ontology().canonical("dog barking", "vggsound") == "Bark"
    found = run(Merge(), given).clips.sort("rank").select("clip_id", "corpus", "events", "tags").rows()
    assert found == [
        ("yt:a@30", "audiocaps", [event("Dog"), event("Bark"), event("odd")], ["loud", "outside"]),
        ("yt:b@0", "audiocaps", [event("Rain"), event("Wind", 0.9)], []),
        ("yt:c@0", "vggsound", [event("dog barking")], []),
    ]


def test_what_nothing_merges_into_and_rows_of_another_length_keep_their_labels(
    tables: Make, run: Make
) -> None:
    alone = {"clip_id": "yt:b@0", "source_id": "yt:b", "start": 0.0, "end": 10.0, "events": [event("Rain")]}
    given = tables(
        [alone, video(30, 40, tags=["a"]), video(30, 35, events=[event("Dog")], tags=["b"])],
    )
    found = run(Merge(), given)
    assert found.clips.columns == given.clips.collect_schema().names()
    assert found.clips.sort("rank").equals(given.clips.collect().sort("rank").head(2))


def event(label: str, score: float = 1.0) -> dict[str, Any]:
    """A label with the score that a column of its type holds."""
    return {"label": label, "score": float(np.float32(score))}
