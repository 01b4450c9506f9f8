"""Prompts are facts: checked when they are read, pure when they are rendered, hashed over all that matters."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.enrich.engine import Message
from captionstew.enrich.item import Item
from captionstew.enrich.prompt import Prompt, prompt, prompts
from captionstew.errors import RecipeError
from captionstew.rooms import room

GOOD = """
name = "mine"
version = 1
style = "plain"
about = "a test"
needs = ["captions"]
words = [3, 9]

[sampling]
temperature = 0.5

[[message]]
role = "system"
content = "Write {fewest} to {most} words."

[[message]]
role = "user"
content = "{captions} / {certain} / {possible}"
"""
DOG = Item("a:1", ("A dog\n barks {loudly}",), ("Dog", "Male speech, man speaking"), ("Thunder",))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Prompt]:
    """A prompt from the text of its file."""

    def write(text: str) -> Prompt:
        (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
        return prompt(str(tmp_path / "mine.toml"))

    return write


@pytest.mark.parametrize("name", prompts())
def test_a_prompt_of_the_room_loads_and_fits_some_clip_of_its_domain(name: str) -> None:
    one = prompt(name)
    full = Item(
        "a:1", ("A dog barks",), ("Dog",), ("Rain",), ("loud",), one.domains[0], "well", ("Rain", "Dog")
    )
    bare = replace(full, captions=())
    assert one.fits(full) or one.fits(bare)
    rendered = one.render(full)
    assert rendered[-1].role == "user"
    assert not any("{" in message.content for message in rendered)


@pytest.mark.parametrize("name", prompts())
def test_all_but_the_last_message_is_the_same_for_every_clip(name: str) -> None:
    one, other = prompt(name), Item("b:2", ("Rain",), ("Rain",), (), ("soft",))
    assert one.render(DOG)[:-1] == one.render(other)[:-1]
    assert one.render(DOG)[-1] != one.render(other)[-1]
    shared = sum(len(message.content) for message in one.render(DOG)[:-1])
    if name == "flap_plain":  # as the paper: one message
        assert len(one.messages) == 1
        return
    assert shared > 3 * len(one.render(other)[-1].content)  # what servers keep is most of it


def test_certain_and_possible_labels_are_told_apart_and_a_caption_is_one_line(
    written: Callable[[str], Prompt],
) -> None:
    assert written(GOOD).render(DOG) == (
        Message("system", "Write 3 to 9 words."),
        Message("user", "- A dog barks {loudly} / Dog; Male speech, man speaking / Thunder"),
    )
    assert written(GOOD).render(Item("x", ("Hum",)))[-1].content == "- Hum / none / none"


def test_flap_says_that_the_caption_wins_over_a_label() -> None:
    system = prompt("flap").messages[0].content
    assert "the people are right" in " ".join(system.split())
    assert "FLAP" in prompt("flap").source


def test_the_hash_changes_with_all_that_an_answer_depends_on_and_with_nothing_else(
    written: Callable[[str], Prompt],
) -> None:
    one = written(GOOD)
    changed = [
        GOOD.replace("version = 1", "version = 2"),
        GOOD.replace("0.5", "0.6"),
        GOOD.replace("[3, 9]", "[3, 10]"),
        GOOD.replace("Write", "Say"),
        GOOD.replace('needs = ["captions"]', "most_captions = 2"),
    ]
    assert len({one.hash, *(written(text).hash for text in changed)}) == 1 + len(changed)
    assert written(GOOD.replace("a test", "another")).hash == one.hash
    assert written(GOOD.replace('"Write', '"  Write')).hash == one.hash
    assert one.label == f"mine@{one.hash}"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{certain}", "{certian}", "there is no field {certian}"),
        ("{certain}", "{certain:>9}", "fields take no format"),
        ("{certain}", "{", "a brace stands alone"),
        ("{captions} / {certain} / {possible}", "Go on", "no field"),
        ("{captions} / {certain} / {possible}", "  ", "a message is empty"),
        ("Write {fewest}", "Write {captions}", "must stand in the last message"),
        ('"user"', '"assistant"', "no message has the role user"),
        ('"user"', '"robot"', "no message has the role user"),
        ('role = "system"', 'role = "user"', "roles must be"),
        ("version = 1", "version = 0", "version"),
        ("[3, 9]", "[9, 3]", "the fewest and the most"),
        ("temperature = 0.5", "temperature = -1", "temperature"),
        ("temperature", "temprature", "unknown key `temprature`"),
        ("style =", "stile =", "unknown key `stile`"),
        ('style = "plain"', "", "the key `style` is missing"),
        ('needs = ["captions"]', 'needs = ["caption"]', "not allowed"),
        ('needs = ["captions"]', 'domains = ["noise"]', "no domain 'noise'"),
        ('name = "mine"', 'name = "yours"', "calls itself 'yours'"),
        ("[sampling]", "[sampling", "no prompt at mine.toml"),
    ],
)
def test_a_fault_of_a_prompt_is_told_when_it_is_read(
    written: Callable[[str], Prompt], old: str, new: str, problem: str
) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(RecipeError) as caught:
        written(GOOD.replace(old, new, 1))
    assert problem in str(caught.value)
    assert caught.value.hint


def test_a_prompt_of_the_room_whose_words_change_gets_a_new_version() -> None:
    asked = {(prompt(name).label, prompt(name).version) for name in prompts()}
    assert asked == {
        ("flap@3e655ab440f1127a", 1), ("flap_plain@78e31db0ebbabf4d", 1),
        ("label_only@4ed51d162adc259a", 1), ("music@ed370f37e94501e3", 1),
        ("paraphrase@7f316ba63c78e38f", 1), ("rewrite_detailed@2dc65fb304c754ec", 1),
        ("rewrite_question@f20cc6630f753230", 1), ("rewrite_short@210bfd81f820702a", 1),
        ("speech_style@dcf3a07627fa247d", 1), ("temporal@8c487b0d86bac0e0", 1),
    }  # fmt: skip


def test_an_unknown_prompt_is_told_its_neighbour() -> None:
    with pytest.raises(RecipeError, match="did you mean `flap`"):
        prompt("flapp")


def test_a_clip_fits_by_domain_and_by_what_it_has() -> None:
    label_only, flap = prompt("label_only"), prompt("flap")
    assert flap.fits(DOG)
    assert not flap.fits(replace(DOG, domain="music"))
    assert not flap.fits(replace(DOG, captions=()))
    assert not flap.fits(Item("x", ("A dog",)))
    assert label_only.fits(replace(DOG, captions=()))
    assert not label_only.fits(DOG)


def test_every_file_of_prompts_says_where_its_words_are_from() -> None:
    for name in prompts():
        facts = tomllib.loads((room("pipelines") / "prompts" / f"{name}.toml").read_text(encoding="utf-8"))
        assert facts["source"]
