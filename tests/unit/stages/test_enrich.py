"""The stage Enrich adds captions after those of the publishers, each with its provenance, and loses nothing."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import captionstew.stages.enrich as module
from captionstew import __version__
from captionstew.enrich.engine import Answer, Ask, Engine
from captionstew.enrich.guard import Rules
from captionstew.enrich.prompt import prompt
from captionstew.enrich.provenance import PROVENANCE, caption_hash, kept
from captionstew.enrich.statistics import Counting
from captionstew.enrich.store import Store
from captionstew.errors import EngineError, RecipeError
from captionstew.pipeline.progress import Event
from captionstew.pipeline.stage import Context, Tables
from captionstew.stages.enrich import Enrich, Progress
from captionstew.stages.events import heard_by
from captionstew.stages.guard import Guard
from captionstew.stages.merge import Merge

DOG = [{"label": "Dog", "score": 0.9}, {"label": "Thunder", "score": 0.2}]


class Barker(Engine):
    """Says that a dog barks; of rain, that it is an AI; of thunder, nothing, with an error."""

    def __init__(self, asked: list[Ask]) -> None:
        self.asked = asked

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        for ask in asks:
            self.asked.append(ask)
            about = ask.messages[-1].content
            if "thunder rolls" in about:
                yield Answer.failed(ask.key, "HTTP 400: no")
            else:
                text = "As an AI, I cannot hear." if "rain" in about else "A dog keeps on barking."
                yield Answer(ask.key, text, "stop", None, 50, 6)


ASKED: list[Ask] = []


@dataclass(frozen=True)
class Barking(Enrich):
    """Enrich with that engine."""

    def engine(self) -> Engine:
        """It answers at once."""
        return Barker(ASKED)


STAGE = Barking(
    endpoint="here", model="vicuna", revision="abc", prompts=("flap", "label_only"), detector="AST@1"
)
CLIPS: list[dict[str, Any]] = [
    {"clip_id": "a:0", "events": DOG},
    {"clip_id": "a:1", "events": DOG, "split": "val"},
    {"clip_id": "a:2", "events": DOG, "split": "test"},
    {"clip_id": "a:3", "events": DOG},
    {"clip_id": "a:4", "events": DOG},
    {"clip_id": "a:5", "events": DOG, "corpus": "esc50"},
    {"clip_id": "a:6"},
]
CAPTIONS: list[dict[str, Any]] = [
    {"rank": 0, "origin": 0, "text": "A dog is heard", "place": 0},
    {"rank": 0, "origin": 9, "text": "generated before", "style": "machine", "source": "other"},
    {"rank": 1, "origin": 1, "text": "A dog in the validation split"},
    {"rank": 2, "origin": 2, "text": "A dog in the test split"},
    {"rank": 3, "origin": 3, "text": "A dog in the rain"},
    {"rank": 4, "origin": 4, "text": "A dog while thunder rolls"},
    {"rank": 6, "origin": 6, "text": "A clip without events"},
]


@pytest.fixture
def given(tables: Callable[..., Tables]) -> Tables:
    """Seven clips: training, evaluation, with labels only, without any."""
    ASKED.clear()
    return tables(CLIPS, CAPTIONS, merged=True)


@pytest.fixture
def here(tmp_path: Path) -> Context:
    """A build's folder."""
    return Context((), {}, work=tmp_path / "work")


def provenance(context: Context) -> pl.DataFrame:
    """What is left beside the shards."""
    return pl.read_parquet(context.work.parent / "enrich" / "provenance.parquet")


def test_originals_stay_first_and_as_they_were_and_the_new_ones_say_where_they_are_from(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    found = run(STAGE, given, here)
    before = given.captions.collect()
    after = found.captions.filter(pl.col("source") != "llm").select(before.columns)
    assert after.sort("rank", "origin", "place").equals(before.sort("rank", "origin", "place"))
    assert [text for rank, text in found.texts if rank == 0] == [
        "A dog is heard", "generated before", "A dog keeps on barking.",
    ]  # fmt: skip
    new = found.captions.filter(rank=0, source="llm").row(0, named=True)
    assert new["style"] == "machine"
    assert new["model"] == "vicuna@abc"
    assert new["prompt"] == prompt("flap").label
    assert new["language"] == "en"


def test_clips_of_evaluation_splits_are_never_asked_about(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    found = run(STAGE, given, here)
    assert not found.captions.filter(pl.col("source") == "llm", pl.col("rank").is_in([1, 2])).height
    assert not any("split" in ask.messages[-1].content for ask in ASKED)
    assert set(provenance(here)["clip_id"]) == {"a:0", "a:3", "a:4", "a:5"}


def test_every_new_caption_resolves_to_what_it_was_made_of(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    found = run(STAGE, given, here)
    told = provenance(here)
    assert dict(told.schema) == PROVENANCE
    new = found.captions.filter(source="llm").join(found.clips.select("rank", "clip_id"), on="rank")
    assert not new.join(told, on=["clip_id", "prompt", "text"], how="anti").height
    row = told.filter(clip_id="a:0").row(0, named=True)
    assert row["parents"] == [caption_hash("A dog is heard"), caption_hash("generated before")]
    assert (row["certain"], row["possible"], row["detector"]) == (["Dog"], ["Thunder"], "AST@1")
    assert [(one["label"], round(one["score"], 3)) for one in row["events"]] == [
        ("Dog", 0.9),
        ("Thunder", 0.2),
    ]
    assert (row["corpus"], row["split"], row["license"]) == ("clotho", "train", "unknown")
    assert (row["style"], row["prompt_version"], row["made_with"]) == (
        "enriched",
        1,
        f"captionstew {__version__}",
    )
    assert (row["model"], row["revision"], row["prompt"]) == ("vicuna", "abc", prompt("flap").label)
    assert (row["finish"], row["prompt_tokens"], row["completion_tokens"]) == ("stop", 50, 6)
    assert (row["verdict"], row["attempt"], row["rejected"]) == ("kept", 0, [])
    assert json.loads(row["sampling"])["temperature"] == prompt("flap").sampling.temperature
    (sent,) = [ask for ask in ASKED if "A dog is heard" in ask.messages[-1].content]
    assert sent.seed == row["seed"]
    assert told["key"].is_unique().all()


def test_other_weights_in_the_same_folder_are_asked_anew_and_the_same_ones_are_not(
    given: Tables, here: Context, run: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "models" / "vicuna-mine"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"first")
    stage = replace(STAGE, model=str(folder), revision="")
    run(stage, given, here)
    asked, first = len(ASKED), provenance(here)
    identity = stage.upstream(here)
    run(replace(stage), given, here)
    assert (len(ASKED), replace(stage).upstream(here)) == (asked, identity)
    (folder / "model.safetensors").write_bytes(b"other")
    found = run(replace(stage), given, here)
    assert replace(stage).upstream(here) != identity
    assert len(ASKED) == 2 * asked
    told = provenance(here)
    assert set(told["model"]) == {"vicuna-mine"}, "no path of this machine"
    assert told["revision"].n_unique() == 1
    assert set(told["revision"]) != set(first["revision"])
    names = set(found.captions.filter(source="llm")["model"])
    assert names == {f"vicuna-mine@{told['revision'][0]}"}
    (row,) = [one for one in found.tally.enrichment if one.prompt == prompt("flap").label]
    assert (row.model, row.revision) == ("vicuna-mine", told["revision"][0])


def test_provenance_names_the_revision_of_the_detector_that_events_left(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    run(STAGE, given, here)
    assert set(provenance(here)["detector"]) == {"AST@1"}
    before = set(provenance(here)["key"])
    heard_by(here).parent.mkdir(parents=True)
    heard_by(here).write_text("AST@1f2e3d", encoding="utf-8")
    asked = len(ASKED)
    run(STAGE, given, here)
    assert set(provenance(here)["detector"]) == {"AST@1f2e3d"}
    assert not before & set(provenance(here)["key"])
    assert len(ASKED) == asked  # who heard the labels changes no question


def test_what_was_kept_is_a_table_by_itself_that_joins_the_clips(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    found = run(STAGE, given, here)
    left = run(Guard(), Tables(found.clips.lazy(), found.captions.lazy())).captions.filter(source="llm")
    table = kept(here.work.parent / "enrich" / "provenance.parquet").collect()
    both = left.join(found.clips.select("rank", "clip_id"), on="rank").select("clip_id", "prompt", "text")
    assert table.select("clip_id", "prompt", "text").rows() == sorted(both.rows())
    assert table["key"].is_unique().all()
    assert not table.select(pl.exclude("events").null_count()).unpivot()["value"].sum()


def test_what_the_guard_will_drop_comes_to_it_and_what_failed_is_counted(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    found = run(STAGE, given, here)
    assert found.caption_drops.select("reason", "corpus", "detail").rows() == [
        ("failed", "llm", "HTTP 400: no")
    ]
    assert not found.captions.filter(rank=4, source="llm").height
    again = run(Guard(), Tables(found.clips.lazy(), found.captions.lazy()))
    assert again.caption_drops["reason"].to_list() == ["refusal"]
    assert [text for rank, text in again.texts if rank == 3] == ["A dog in the rain"]  # it has what it had
    assert "finish" not in again.captions.columns
    told = provenance(here)
    assert dict(told.select("clip_id", "verdict").iter_rows())["a:3"] == "refusal"
    assert told.filter(clip_id="a:3")["rejected"].to_list() == [["refusal"]]


def test_a_second_caption_that_is_like_the_first_is_dropped_by_both_stages(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    stage = replace(STAGE, prompts=("flap", "rewrite_short"), captions=2)
    found = run(stage, given, here)
    first = provenance(here).filter(clip_id="a:0").select("prompt", "verdict").rows()
    labels = prompt("flap").label, prompt("rewrite_short").label
    assert first == [(labels[0], "kept"), (labels[1], "near-duplicate")]
    left = run(Guard(), Tables(found.clips.lazy(), found.captions.lazy()))
    assert "near-duplicate" in left.caption_drops["reason"].to_list()
    table = kept(here.work.parent / "enrich" / "provenance.parquet").collect()
    assert left.captions.filter(source="llm").height == table.height


def test_a_clip_of_several_corpora_is_asked_about_once_with_the_captions_and_labels_of_all(
    tables: Callable[..., Tables], here: Context, run: Callable[..., Any]
) -> None:
    ASKED.clear()
    same = {"clip_id": "yt:a@30", "source_id": "yt:a", "start": 30.0, "end": 40.0}
    given = tables(
        [
            same | {"corpus": "audiocaps"},
            same | {"corpus": "audioset", "events": [{"label": "/m/0bt9lr", "score": 1.0}]},
            same | {"corpus": "vggsound", "events": [{"label": "dog barking", "score": 1.0}]},
            same | {"corpus": "audiosetcaps-audioset", "start": 30.2, "end": 40.0, "clip_id": "yt:a@30.2"},
        ],
        [{"rank": 0, "text": "A dog is heard"}, {"rank": 3, "text": "Barking of a dog", "style": "machine"}],
    )
    merged = run(Merge(), given)
    found = run(STAGE, Tables(merged.clips.lazy(), merged.captions.lazy()), here)
    (sent,) = ASKED
    about = sent.messages[-1].content
    assert "- A dog is heard\n- Barking of a dog" in about
    assert "Certain sounds: Bark" in about  # which says Dog as well
    assert provenance(here)["clip_id"].to_list() == ["yt:a@30"]
    assert found.captions.filter(source="llm").height == 1


def test_the_order_that_events_left_is_told_to_the_model(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    order = [{"label": "Thunder", "onset": 0.0}, {"label": "Dog", "onset": 3.0}]
    kind = pl.List(pl.Struct({"label": pl.String, "onset": pl.Float32}))
    timeline = pl.when(pl.col("rank") == 0).then(pl.lit(order, dtype=kind)).alias("timeline")
    run(replace(STAGE, prompts=("temporal",)), replace(given, clips=given.clips.with_columns(timeline)), here)
    (sent,) = ASKED  # the other clips have no order, and so no such caption
    assert "In order: Thunder; then Dog" in sent.messages[-1].content
    assert provenance(here)["style"].to_list() == ["temporal"]


def test_label_only_clips_get_the_prompt_for_them_and_clips_without_anything_none(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    run(STAGE, given, here)
    prompts = dict(provenance(here).select("clip_id", "prompt").iter_rows())
    assert prompts["a:5"] == prompt("label_only").label
    assert "a:6" not in prompts


def test_the_statistics_say_what_came_of_each_prompt(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    flap, label_only = run(STAGE, given, here).tally.enrichment
    assert (flap.prompt, flap.asked, flap.passed, flap.failed, flap.retried) == (
        prompt("flap").label,
        3,
        1,
        1,
        1,
    )
    assert flap.rejected == {"refusal": 2}
    assert (label_only.asked, label_only.passed, label_only.words) == (1, 1, 5.0)


def test_a_second_run_asks_for_nothing_and_leaves_the_same(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    first = run(STAGE, given, here)
    rows, count = provenance(here), len(ASKED)
    again = run(STAGE, given, here)
    assert len(ASKED) == count
    assert again.captions.equals(first.captions)
    assert provenance(here).equals(rows)


@pytest.mark.parametrize("portion", [1, 2, 3])
def test_the_size_of_portions_changes_nothing(
    given: Tables,
    here: Context,
    tmp_path: Path,
    run: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    portion: int,
) -> None:
    first = run(STAGE, given, here)
    monkeypatch.setattr(module, "PORTION", portion)
    there = replace(here, work=tmp_path / "other" / "work")
    again = run(STAGE, given, there)
    key = ["rank", "origin", "place"]
    assert again.captions.sort(key).equals(first.captions.sort(key))
    assert provenance(there).equals(provenance(here))
    assert again.tally == first.tally


def test_without_an_endpoint_nothing_happens(given: Tables, here: Context, run: Callable[..., Any]) -> None:
    found = run(replace(STAGE, endpoint=""), given, here)
    assert found.captions.equals(given.captions.collect())
    assert not here.work.parent.joinpath("enrich").exists()
    assert replace(STAGE, endpoint="").leaves(here) == ()


def test_answers_of_another_store_are_used_where_they_lie(
    given: Tables, here: Context, tmp_path: Path, run: Callable[..., Any]
) -> None:
    run(replace(STAGE, store=str(tmp_path / "answers")), given, here)
    count = len(ASKED)
    run(replace(STAGE, store=str(tmp_path / "answers")), given, replace(here, work=tmp_path / "new" / "work"))
    assert len(ASKED) == count


def test_what_decides_the_captions_is_part_of_the_identity_and_where_they_come_from_is_not(
    here: Context,
) -> None:
    for changed in (
        replace(STAGE, endpoint="there"), replace(STAGE, store="s"), replace(STAGE, concurrency=1),
        replace(STAGE, tries=9), replace(STAGE, gpus=2), replace(STAGE, python="p"), replace(STAGE, price=2.0),
    ):  # fmt: skip
        assert changed.identity() == STAGE.identity()
    different = [
        replace(STAGE, **change)
        for change in (
            {"endpoint": ""}, {"model": "m"}, {"revision": "r"}, {"prompts": ("flap",)}, {"captions": 2},
            {"share": 0.5}, {"run_seed": 1}, {"own_seeds": True}, {"retries": 2}, {"rules": Rules(most_words=9)},
            {"repairs": False}, {"thresholds": "t"}, {"detector": "d"},
        )
    ]  # fmt: skip
    assert len({STAGE.identity(), *(one.identity() for one in different)}) == 1 + len(different)


def test_a_failure_that_may_pass_makes_the_next_run_try_again(
    given: Tables, here: Context, run: Callable[..., Any]
) -> None:
    before = STAGE.upstream(here)
    run(STAGE, given, here)
    assert STAGE.upstream(here) == before  # HTTP 400 comes again, whatever one does
    with Store(STAGE.folder(here)) as store:
        store.add(Answer.failed("key", "given up after 6 tries: HTTP 503"))
    assert STAGE.upstream(here) != before


def test_it_says_how_far_it_is(given: Tables, here: Context, run: Callable[..., Any]) -> None:
    seen: list[Event] = []
    run(STAGE, given, replace(here, watch=seen.append))
    assert seen[-1].clips == 5
    assert "tokens/s" in seen[-1].note
    assert seen[-1].drops == {"refusal": 2}


def test_the_report_counts_tokens_what_was_there_what_is_waited_for_and_the_time_left(here: Context) -> None:
    seen, now = list[Event](), [100.0]
    watched = replace(here, watch=seen.append)
    progress = Progress("enrich", 400, watched, Counting(STAGE.asking), clock=lambda: now[0])
    progress.traffic.known = 50
    for number in range(150):
        progress.traffic.sent += 1
        if number < 128:
            now[0] += 0.5
            progress.traffic.add(Answer(str(number), "rain", "stop", None, 30, 10))
            progress.answered()
    assert [event.note for event in seen] == [
        "64 answers, 20 tokens/s, 44 % were there",
        "128 answers, 20 tokens/s, 28 % were there",
    ]
    progress.clips(100)
    assert seen[-1].note == "128 answers, 20 tokens/s, 25 % were there, 22 waited for, 3 min left"
    progress.clips(300)
    assert "left" not in seen[-1].note


def test_fields_that_make_no_sense_are_told() -> None:
    with pytest.raises(RecipeError, match="makes no sense"):
        Enrich(captions=0)


def test_a_file_of_servers_with_another_model_is_told(tmp_path: Path) -> None:
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"urls": ["http://127.0.0.1:1/v1"], "model": "qwen", "revision": "r"}))
    with pytest.raises(EngineError, match="the servers have qwen@r") as caught:
        replace(Enrich(), endpoint=f"@{file}", model="vicuna").engine()
    assert "--set Enrich.model=qwen" in caught.value.hint
    assert Enrich(endpoint=f"@{file}", model="qwen", revision="r").engine().model == "qwen"
