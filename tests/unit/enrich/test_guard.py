"""The guard: what a generated caption may say, and for which reason it goes."""

import json
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from captionstew.enrich.guard import KEPT, REASONS, Rules, judge
from captionstew.enrich.item import Item

OWN = Path(__file__).parents[3] / "benchmarks" / "guard" / "own.jsonl"
ROWS = [json.loads(line) for line in OWN.read_text("utf-8").splitlines()]
DOG = Item("a", ("A dog barks",), ("Dog", "Bark"), ("Rain",))


def item_of(row: dict[str, Any]) -> Item:
    captions, certain, possible, tags = (
        tuple(row.get(name, ())) for name in ("captions", "certain", "possible", "tags")
    )
    return Item("own", captions, certain, possible, tags, transcript=row.get("transcript"))


def reason(item: Item, text: str, finish: str = "stop", rules: Rules | None = None) -> str:
    return judge(item, text, finish, rules or Rules()).reason


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['reason']}: {row['text'][:40]}")
def test_each_pair_of_the_labelled_set_has_its_verdict(row: dict[str, str]) -> None:
    verdict = judge(item_of(row), row["text"], row.get("finish", "stop"), Rules())
    assert verdict.reason in row["reason"].split("|"), verdict
    assert verdict.kept == (verdict.reason == KEPT)
    assert bool(verdict.detail.strip()) != verdict.kept or not row["text"].strip()


def test_every_reason_that_a_pair_can_have_is_in_the_labelled_set() -> None:
    missing = set(REASONS) - {one for row in ROWS for one in row["reason"].split("|")}
    assert missing == {"long", "near-duplicate", "unlike-audio"}  # a long text, two texts, a sound


def test_a_reason_that_is_allowed_is_not_looked_for() -> None:
    assert reason(DOG, "Two dogs keep barking.") == "invented-count"
    assert reason(DOG, "Two dogs keep barking.", rules=Rules(allow=("invented-count",))) == KEPT


@pytest.mark.parametrize(
    ("rules", "text", "before", "after"),
    [
        (Rules(most_words=5), "A dog keeps barking on and on.", KEPT, "long"),
        (Rules(fewest_words=4), "A dog barking.", KEPT, "short"),
        (Rules(most_invented=1), "A dog barks as a bell rings.", "invented-sound", KEPT),
        (Rules(most_lost=1), "The rain keeps falling.", "lost-event", KEPT),
        (Rules(resemblance=0.3), "A dog barks and barks.", KEPT, "echo"),
    ],
)
def test_thresholds_move_the_verdict(rules: Rules, text: str, before: str, after: str) -> None:
    assert reason(DOG, text) == before
    assert reason(DOG, text, rules=rules) == after


def test_the_ontology_joins_a_sound_with_what_makes_it() -> None:
    animal = Item("a", (), ("Animal",))
    assert reason(animal, "A dog is barking.") == "invented-sound"  # an animal is no dog
    assert reason(Item("a", (), ("Animal",), ("Dog",)), "A dog is barking.") == KEPT  # but a dog is an animal
    assert reason(Item("a", (), ("Bark",)), "A dog is heard.") == KEPT
    assert reason(Item("a", (), ("Dog",)), "Something barks.") == KEPT
    assert reason(Item("a", (), ("Engine",)), "A motor hums.") == KEPT
    assert reason(Item("a", (), ("Hum",)), "An engine runs.") == "invented-sound"  # a hum makes no engine


def test_a_label_that_no_class_has_is_read_by_its_words() -> None:
    strange = Item("a", (), ("dog barking in the yard",))
    assert reason(strange, "A dog is barking in a yard.") == KEPT
    assert reason(strange, "A yard in the open.") == "lost-event"


def test_of_several_originals_an_event_is_required_that_most_of_them_say() -> None:
    most = (
        "A dog barks as rain falls",
        "A dog is barking and it rains",
        "A barking dog in the rain",
        "A dog",
    )
    item = Item("a", most)
    assert reason(item, "There is a dog that keeps barking.") == "lost-event"
    assert reason(item, "There is a dog that keeps barking.", rules=Rules(agreement=1.0)) == KEPT
    assert reason(item, "It is raining on a barking dog.") == KEPT


def test_what_a_source_denies_or_says_itself_may_be_said() -> None:
    silent = Item("a", ("A man whistles without music", "No music, a man whistles"))
    assert reason(silent, "A man whistles a tone, with no music.") == KEPT
    assert reason(silent, "A man whistles as music plays.") == "polarity"
    sorry = Item("a", ("A man says I'm sorry",))
    assert reason(sorry, "I'm sorry, says a man.") == KEPT
    assert reason(Item("a", ("A man says hello",)), "I'm sorry, says a man.") == "refusal"


def test_clips_of_speech_and_of_music_are_known_by_their_domain_and_tags() -> None:
    speech = Item("a", tags=("female", "slow", "british accent"), domain="speech")
    assert reason(speech, "A woman with a British accent speaks slowly.") == KEPT
    assert reason(speech, "A woman with a British accent speaks quickly.") == "polarity"
    assert reason(speech, "A man speaks slowly.") == "speaker"
    assert reason(Item("a", tags=("female", "slow")), "A woman speaks slowly.") == "invented-sound"
    music = Item("a", tags=("jazz", "saxophone"), domain="music")
    assert reason(music, "A jazz song in which a saxophone plays.") == KEPT
    assert reason(music, "A jazz song in which a violin plays.") == "invented-sound"


def test_a_finish_by_the_token_limit_is_a_cut_whatever_the_text() -> None:
    assert reason(DOG, "A dog keeps barking.", finish="length") == "cut"
    assert reason(DOG, "A dog keeps barking for a while.") == KEPT


def test_any_text_whatever_gets_a_verdict_and_the_same_one_twice() -> None:
    chance = random.Random(1)
    alphabet = "ab \n\t\"'.,:;()[]{}<>%#*|\\/0123456789\u2019\u00e9\u4e2d\U0001f600" + "\u0301"
    for _ in range(2_000):
        text = "".join(chance.choice(alphabet) for _ in range(chance.randrange(60)))
        first = judge(DOG, text, "stop", Rules())
        assert first == judge(DOG, text, "stop", Rules())
        assert first.reason in {KEPT, *REASONS}


def test_rules_and_verdicts_travel_to_other_processes() -> None:
    verdict = judge(DOG, "Two dogs keep barking.", "stop", Rules())
    assert pickle.loads(pickle.dumps((Rules(), verdict, DOG))) == (Rules(), verdict, DOG)
