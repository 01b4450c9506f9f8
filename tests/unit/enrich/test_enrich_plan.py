"""What is asked, under which key and seed, by which prompt; and what a plan says that it will take."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.rows import EVENTS
from captionstew.enrich.attempts import FAILED, Attempts, Judging, Made
from captionstew.enrich.engine import Answer, Ask, Engine, Sampling
from captionstew.enrich.estimate import Estimate, Estimating
from captionstew.enrich.guard import Rules
from captionstew.enrich.item import Item
from captionstew.enrich.store import Store
from captionstew.enrich.tokens import PER_MESSAGE, Tokens, tokens_of
from captionstew.enrich.want import Asking, Want, weighed
from captionstew.errors import EngineError, RecipeError
from captionstew.pipeline.stage import Tables

ASKING = Asking(weighed(["flap"]), "vicuna", "abc", "AST@1", run_seed=7)
ITEM = Item("a:1", ("A dog barks",), ("Dog",), ("Rain",), ("loud",))
GOOD = "A dog barks again and again."


class Scripted(Engine):
    """Answers by the script, and goes on with its last line; None is a failure."""

    def __init__(self, *script: str | None) -> None:
        self.script, self.asked = script, list[Ask]()

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        for ask in asks:
            self.asked.append(ask)
            text = self.script[min(len(self.asked), len(self.script)) - 1]
            yield (
                Answer(ask.key, text, "stop")
                if text is not None
                else Answer.failed(ask.key, "HTTP 503: busy")
            )


def wants(asking: Asking = ASKING, *items: Item) -> list[Want]:
    return [want for item in items or (ITEM,) for want in asking.wants(item)]


def run(folder: Path, engine: Engine, several: list[Want], retries: int = 0) -> list[Made]:
    with Store(folder) as store:
        return Attempts(lambda: engine, store, Judging(Rules()), retries)(several)


def test_the_key_changes_with_whatever_a_caption_is_made_of() -> None:
    one = ASKING.prompts[0]
    sampled = replace(one, prompt=replace(one.prompt, sampling=Sampling(temperature=0.1)))
    newer = replace(one, prompt=replace(one.prompt, version=one.prompt.version + 1))
    keys = [ASKING.key(wants()[0], attempt) for attempt in (0, 1)]
    for item in (
        replace(ITEM, clip_id="a:2"), replace(ITEM, captions=("A cat",)), replace(ITEM, certain=("Cat",)),
        replace(ITEM, possible=()), replace(ITEM, tags=("soft",)), replace(ITEM, transcript="well"),
        replace(ITEM, order=("Dog",)),
    ):  # fmt: skip
        keys.append(ASKING.key(wants(ASKING, item)[0], 0))
    for asking in (
        replace(ASKING, model="qwen"), replace(ASKING, revision="abd"), replace(ASKING, detector="AST@2"),
        replace(ASKING, run_seed=8), replace(ASKING, prompts=(sampled,)), replace(ASKING, prompts=(newer,)),
    ):  # fmt: skip
        keys.append(asking.key(wants(asking)[0], 0))
    assert len(set(keys)) == len(keys)
    assert ASKING.key(wants()[0], 0) == keys[0]


def test_keys_and_seeds_do_not_depend_on_the_other_clips_or_their_order() -> None:
    items = [replace(ITEM, clip_id=f"a:{n}", captions=(f"A dog barks at {n}",)) for n in range(20)]
    forward = {w.item.clip_id: (w.ask_key(0), w.seed(0)) for w in wants(ASKING, *items)}
    backward = {w.item.clip_id: (w.ask_key(0), w.seed(0)) for w in wants(ASKING, *items[::-1])}
    assert forward == backward
    assert len({seed for _, seed in forward.values()}) == 20
    assert all(0 <= seed < 1 << 63 for _, seed in forward.values())
    assert wants(ASKING, items[3])[0].seed(0) == forward["a:3"][1]


def test_each_attempt_has_another_seed_and_another_key() -> None:
    (want,) = wants()
    assert len({want.seed(attempt) for attempt in range(4)}) == 4
    assert len({want.ask_key(attempt) for attempt in range(4)}) == 4


def test_identical_prompts_share_an_ask_unless_clips_have_seeds_of_their_own(tmp_path: Path) -> None:
    twins = [replace(ITEM, clip_id=f"a:{n}") for n in range(5)]
    shared, engine = wants(ASKING, *twins), Scripted(GOOD)
    made = run(tmp_path / "shared", engine, shared)
    assert len(engine.asked) == 1
    assert [one.text for one in made] == [GOOD] * 5
    assert len({ASKING.key(want, 0) for want in shared}) == 5  # their provenance is each clip's own
    engine = Scripted(GOOD)
    run(tmp_path / "own", engine, wants(replace(ASKING, own_seeds=True), *twins))
    assert len({ask.seed for ask in engine.asked}) == 5


def test_a_rerun_asks_for_nothing_and_needs_no_engine(tmp_path: Path) -> None:
    first = run(tmp_path, Scripted(GOOD), wants())

    def none() -> Engine:
        raise AssertionError("nothing is missing")

    with Store(tmp_path) as store:
        again = Attempts(none, store, Judging(Rules()))(wants())
    assert [(one.text, one.verdict, one.attempt) for one in again] == [
        (one.text, one.verdict, one.attempt) for one in first
    ]


def test_another_prompt_asks_for_its_own_captions_only_and_the_old_ones_stay(tmp_path: Path) -> None:
    both = replace(ASKING, prompts=weighed(["flap", "rewrite_short"]), captions=2)
    engine = Scripted(GOOD)
    run(tmp_path, engine, wants(both))
    changed = replace(both.prompts[1], prompt=replace(both.prompts[1].prompt, version=9))
    run(tmp_path, engine, wants(replace(both, prompts=(both.prompts[0], changed))))
    assert len(engine.asked) == 3
    run(tmp_path, engine, wants(both))
    assert len(engine.asked) == 3


def test_a_rejected_text_is_asked_for_again_with_another_seed_as_often_as_is_allowed(tmp_path: Path) -> None:
    engine = Scripted("As an AI, I cannot.", "A cat and a siren.", GOOD)
    (made,) = run(tmp_path / "3", engine, wants(), retries=3)
    assert (made.text, made.attempt, made.rejected) == (GOOD, 2, ("refusal", "lost-event"))
    assert len({ask.seed for ask in engine.asked}) == 3
    engine = Scripted("As an AI, I cannot.")
    (made,) = run(tmp_path / "1", engine, wants(), retries=1)
    assert len(engine.asked) == 2
    assert not made.verdict.kept
    assert made.rejected == ("refusal",)


def test_broken_json_is_mended_or_asked_for_again(tmp_path: Path) -> None:
    engine = Scripted("{'caption': 'A dog barks again and again'")
    (made,) = run(tmp_path / "mended", engine, wants(), retries=3)
    assert (made.text, made.attempt) == (GOOD, 0)
    engine = Scripted('{"caption": "A dog", "other": "barks', f'{{"caption": "{GOOD}"}}')
    (made,) = run(tmp_path / "again", engine, wants(), retries=3)
    assert (made.text, made.attempt, len(made.rejected)) == (GOOD, 1, 1)


def test_without_chance_in_the_sampling_a_second_attempt_would_say_the_same(tmp_path: Path) -> None:
    (one,) = ASKING.prompts
    greedy = replace(one, prompt=replace(one.prompt, sampling=Sampling(temperature=0)))
    engine = Scripted("As an AI, I cannot.")
    run(tmp_path, engine, wants(replace(ASKING, prompts=(greedy,))), retries=5)
    assert len(engine.asked) == 1


def test_what_fails_is_kept_as_failed_and_tried_again_by_later_runs_until_it_is_left_alone(
    tmp_path: Path,
) -> None:
    engine = Scripted(None)
    for runs in range(1, 6):
        (made,) = run(tmp_path, engine, wants(), retries=2)
        assert made.failed
        assert (made.verdict.reason, made.verdict.detail) == (FAILED, "HTTP 503: busy")
        assert len(engine.asked) == min(runs, 3)


def test_a_poisoned_ask_leaves_the_others_answered_and_is_not_asked_for_again(tmp_path: Path) -> None:
    class Poisoned(Engine):
        asked = 0

        def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
            for ask in asks:
                self.asked += 1
                bad = "at 13" in ask.messages[-1].content
                yield Answer.failed(ask.key, "it ends the engine") if bad else Answer(ask.key, GOOD, "stop")

    items = [replace(ITEM, clip_id=f"a:{n}", captions=(f"A dog barks at {n}",)) for n in range(20)]
    engine = Poisoned()
    assert sum(one.failed for one in run(tmp_path, engine, wants(ASKING, *items))) == 1
    assert sum(one.failed for one in run(tmp_path, engine, wants(ASKING, *items))) == 1
    assert engine.asked == 20


class Dying(Engine):
    """Breaks down after so many answers, the first time."""

    def __init__(self, after: int) -> None:
        self.after, self.keys, self.broke = after, list[str](), False

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        for number, ask in enumerate(asks):
            if number == self.after and not self.broke:
                self.broke = True
                raise EngineError("all servers are gone")
            self.keys.append(ask.key)
            yield Answer(ask.key, GOOD, "stop")


def test_what_came_before_the_engine_broke_down_is_kept(tmp_path: Path) -> None:
    items = [replace(ITEM, clip_id=f"a:{n}", captions=(f"A dog barks at {n}",)) for n in range(20)]
    engine = Dying(7)
    with pytest.raises(EngineError):
        run(tmp_path, engine, wants(ASKING, *items))
    assert len(engine.keys) == 7
    run(tmp_path, engine, wants(ASKING, *items))
    assert len(engine.keys) == len(set(engine.keys)) == 20


class Shuffled(Engine):
    """Takes `window` asks before it answers them, the last one first; what it says depends on the seed alone."""

    def __init__(self, window: int) -> None:
        self.window = window

    def answers(self, asks: Iterable[Ask]) -> Iterator[Answer]:
        ahead: list[Ask] = []
        for ask in asks:
            ahead.append(ask)
            if len(ahead) == self.window:
                yield from map(self.answer, ahead[::-1])
                ahead = []
        yield from map(self.answer, ahead[::-1])

    def answer(self, ask: Ask) -> Answer:
        assert ask.seed is not None
        return Answer(ask.key, f"A dog barks {ask.seed % 7} times" if ask.seed % 2 else GOOD, "stop")


@pytest.mark.parametrize("window", [2, 7, 19])
def test_the_results_are_the_same_for_any_number_under_way_in_any_order(tmp_path: Path, window: int) -> None:
    items = [replace(ITEM, clip_id=f"a:{n}", captions=(f"A dog barks, take {n}",)) for n in range(40)]
    found = []
    for several in (1, window):
        made = run(tmp_path / str(several), Shuffled(several), wants(ASKING, *items), retries=2)
        found.append([(one.want.item.clip_id, one.text, one.attempt, one.rejected) for one in made])
    assert found[0] == found[1]
    assert {attempt for _, _, attempt, _ in found[0]} == {0, 1, 2}


def test_prompts_are_drawn_by_weight_and_by_the_clip_alone() -> None:
    asking = replace(ASKING, prompts=weighed(["flap=3", "rewrite_short=1"]))
    items = [replace(ITEM, clip_id=f"a:{n}") for n in range(4000)]
    drawn = Counter(want.one.prompt.name for want in wants(asking, *items))
    assert sum(drawn.values()) == 4000
    assert abs(drawn["flap"] - 3000) < 4 * (4000 * 0.75 * 0.25) ** 0.5
    more = replace(asking, prompts=(*asking.prompts, *weighed(["rewrite_detailed"])))
    moved = [
        (a.one.prompt.name, b.one.prompt.name)
        for a, b in zip(wants(asking, *items), wants(more, *items), strict=True)
        if a.one.prompt.name != b.one.prompt.name
    ]
    assert {after for _, after in moved} == {
        "rewrite_detailed"
    }  # a new prompt takes from the others and moves none


def test_a_share_of_the_clips_is_drawn_and_grows_without_leaving_any_out() -> None:
    items = [replace(ITEM, clip_id=f"a:{n}") for n in range(4000)]
    third, half = (
        {want.item.clip_id for want in wants(replace(ASKING, share=share), *items)} for share in (1 / 3, 0.5)
    )
    assert third < half
    assert abs(len(third) - 4000 / 3) < 4 * (4000 * 2 / 9) ** 0.5
    assert not wants(replace(ASKING, share=0), *items)


@pytest.mark.parametrize(
    ("names", "problem"),
    [(["flap=0"], "weighs nothing"), (["flap=x"], "weighs nothing"), (["flap", "flap=2"], "twice"),
     (["flip"], "no prompt")],
)  # fmt: skip
def test_prompts_that_make_no_sense_are_told(names: list[str], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        weighed(names)


def tables(count: int) -> Tables:
    """Clips with captions of 1 to 30 words, one in ten of an evaluation split."""
    clips = pl.DataFrame({
        "rank": range(count), "clip_id": [f"a:{n}" for n in range(count)],
        "split": ["test" if n % 10 == 0 else "train" for n in range(count)],
    }).with_columns(
        pl.col("rank").cast(pl.UInt64), corpus=pl.lit("a"), domain=pl.lit("sound"),
        events=pl.lit([{"label": "Dog", "score": 1.0}], dtype=EVENTS), tags=pl.lit([], dtype=pl.List(pl.String)),
        transcript=pl.lit(None, dtype=pl.String),
    )  # fmt: skip
    texts = [" ".join(["bark"] * (1 + n * 7919 % 30)) for n in range(count)]
    captions = pl.DataFrame({"rank": range(count), "text": texts}).with_columns(
        pl.col("rank").cast(pl.UInt64), origin=pl.col("rank").cast(pl.UInt64), place=pl.lit(0, dtype=pl.UInt16),
        source=pl.lit("a"), style=pl.lit("human"),
    )  # fmt: skip
    return Tables(clips.lazy(), captions.lazy())


def planned(given: Tables, **fields: object) -> Estimate:
    words = Tokens(lambda text: len(text.split()), "words")
    return Estimating(ASKING, words, retries=0, **fields)(given, sample=300)  # type: ignore[arg-type]


def test_an_estimate_from_a_sample_comes_close_to_what_is_sent(tmp_path: Path) -> None:
    given = tables(3000)
    estimate = planned(given, written=lambda _: 6.0)
    items = [
        Item(f"a:{n}", (" ".join(["bark"] * (1 + n * 7919 % 30)),), ("Dog",)) for n in range(3000) if n % 10
    ]
    engine = Scripted(GOOD)
    run(tmp_path, engine, wants(replace(ASKING, own_seeds=True), *items))
    sent = sum(len(m.content.split()) + PER_MESSAGE for ask in engine.asked for m in ask.messages)
    assert estimate.clips == estimate.calls == len(engine.asked) == 2700
    assert abs(estimate.prompt_tokens / sent - 1) < 0.15
    assert abs(estimate.prompt_tokens / sent - 1) < 2 * estimate.within
    assert estimate.completion_tokens == 6 * 2700
    assert estimate.seconds == pytest.approx(6 * 2700 / estimate.rate)
    assert estimate.sampled == 300
    priced = planned(given, written=lambda _: 6.0, price=3.6)
    assert priced.cost == pytest.approx(priced.seconds / 1000)
    assert (estimate.cost, priced.disk) == (0.0, estimate.disk)
    assert 2700 * 100 < estimate.disk < 2700 * 1000


def test_an_estimate_counts_what_is_there_and_what_is_too_long(tmp_path: Path) -> None:
    given = tables(200)
    assert planned(given).too_long == 0
    assert planned(given, context=10).too_long == 180
    with Store(tmp_path) as store:
        for n in range(0, 200, 2):
            item = Item(f"a:{n}", (" ".join(["bark"] * (1 + n * 7919 % 30)),), ("Dog",))
            store.add(Answer(wants(ASKING, item)[0].ask_key(0), GOOD, "stop"))
    half = planned(given, store=tmp_path)
    assert (half.known, half.calls) == (80, 100)


def test_clips_that_a_detector_has_not_heard_yet_count_as_heard() -> None:
    given = tables(100)
    bare = Tables(given.clips.with_columns(events=pl.lit([], dtype=EVENTS)), given.captions)
    assert planned(bare).calls == 0
    assert planned(bare, heard=True).calls == 90


def test_tokens_are_counted_by_the_models_own_tokenizer_where_it_is_here(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    model = tokenizers.models.WordLevel({"a": 0, "dog": 1, "?": 2}, unk_token="?")
    own = tokenizers.Tokenizer(model)
    own.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    own.save(str(tmp_path / "tokenizer.json"))
    found = tokens_of(str(tmp_path))
    assert (found.count("a dog barks"), found.by) == (3, "its own tokenizer")
    other = tokens_of("nobody/has-this-model")
    assert other.count("a dog barks") == 3
    assert "its tokenizer is not here" in other.by
