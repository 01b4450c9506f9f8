"""Recipes by name, file and corpus; `--set`; errors with their line and the remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from captionstew.errors import RecipeError
from captionstew.pipeline.stage import Stage
from captionstew.recipe import override, recipe

GOOD = """
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.stage import TableStage
from captionstew.recipe import recipe

class Mine(TableStage):
    def __call__(self, tables, context):
        return Out(tables)

mine = Pipeline("mine", ("esc50",), (Mine(), *recipe("esc50").stages))
"""
Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


def stage(name: str, *settings: str) -> Stage:
    """A stage of the paper's recipe after these settings."""
    return next(one for one in override(recipe("paper"), settings).stages if type(one).__name__ == name)


def test_the_name_of_a_corpus_is_a_recipe_that_keeps_every_split() -> None:
    pipeline = recipe("esc50")
    assert (pipeline.name, pipeline.corpora) == ("esc50", ("esc50",))
    assert "decontaminate" not in [one.name for one in pipeline.stages]


def test_a_file_may_hold_stages_of_its_own(write: Write) -> None:
    assert recipe(write(GOOD)).stages[0].name == "mine"


@pytest.mark.parametrize(
    ("setting", "name", "field", "value"),
    [
        ("codec=opus", "Encode", "codec", "opus"),
        ("Duration.longest=30", "Duration", "longest", 30.0),
        ("duration.shortest = 0.5", "Duration", "shortest", 0.5),
        ("most_words=12", "Clean", "most_words", 12),
        ("near=no", "Dedupe", "near", False),
        ("against=clotho, esc50", "Decontaminate", "against", ("clotho", "esc50")),
        ("against=", "Decontaminate", "against", ()),
        ("tiers=audio,captions", "Shard", "tiers", ("audio", "captions")),
    ],
)
def test_a_setting_is_read_as_its_field_asks(setting: str, name: str, field: str, value: object) -> None:
    got = getattr(stage(name, setting), field)
    assert got == value
    assert type(got) is type(value)


def test_a_setting_changes_nothing_else() -> None:
    before, after = recipe("paper"), override(recipe("paper"), ["codec=opus", "near=off"])
    changed = {old.name for old, new in zip(before.stages, after.stages, strict=True) if old != new}
    assert changed == {"encode", "dedupe"}
    assert override(before, []) == before


@pytest.mark.parametrize(
    ("setting", "message", "hint"),
    [
        ("longst=3", 'no stage of paper has a field "longst"', "did you mean Duration.longest?"),
        ("Duration.longst=3", 'Duration has no field "longst"', "did you mean Duration.longest?"),
        ("Duraton.longest=3", 'paper has no stage "Duraton"', "did you mean `Duration`?"),
        ("longest=a while", 'Duration.longest is a number, not "a while"', "Duration.longest=60"),
        ("longest=nan", 'Duration.longest is a number, not "nan"', "Duration.longest=60"),
        ("most_words=1.5", 'Clean.most_words is a whole number, not "1.5"', "Clean.most_words=300"),
        ("near=perhaps", 'Dedupe.near is true or false, not "perhaps"', "Dedupe.near=True"),
        ("codec=mp3", "Encode has no codec 'mp3'", "flac"),
        ("codec", '--set "codec" sets nothing', "--set codec=opus"),
    ],
)
def test_a_wrong_setting_says_what_would_be_right(setting: str, message: str, hint: str) -> None:
    with pytest.raises(RecipeError) as error:
        override(recipe("paper"), [setting])
    assert message in error.value.message
    assert hint in error.value.hint


def test_a_field_of_two_stages_must_name_one(write: Write) -> None:
    text = GOOD.replace(
        "class Mine(TableStage):", "@dataclass(frozen=True)\nclass Mine(TableStage):\n    longest: int = 1"
    )
    pipeline = recipe(write("from dataclasses import dataclass\n" + text))
    with pytest.raises(RecipeError, match='2 stages have a field "longest"') as error:
        override(pipeline, ["longest=5"])
    assert "Mine.longest=... or Duration.longest=..." in error.value.hint
    assert override(pipeline, ["Mine.longest=5"]).stages[0].longest == 5  # type: ignore[attr-defined]


DURATION = "from captionstew.stages.duration import Duration\n"


@pytest.mark.parametrize(
    ("text", "message", "where", "hint"),
    [
        (DURATION + "Duration(shortset=1.0)", 'Duration has no field "shortset"', "line 2, Duration(shortset=1.0)",
         "did you mean `shortest`? fields: shortest, longest"),
        (DURATION + "x = (\n  Duration(\n    shortset=1.0))", "no field", "line 3, Duration( shortset=1.0)", ""),
        (DURATION + "Durtion()", 'nothing is called "Durtion"', "line 2, Durtion", "did you mean `Duration`?"),
        ("from captionstew.stages.duration import Durtion", 'captionstew.stages.duration has no "Durtion"',
         "line 1, from captionstew.stages.duration import Durtion", "did you mean `Duration`?"),
        ("import captionstew.stages.duraton", "there is no module captionstew.stages.duraton", "line 1",
         "did you mean `captionstew.stages.duration`?"),
        ("import no_such_module", "there is no module no_such_module", "line 1", "install it"),
        ("\nstages = (\n", "this is not Python", "line 2, stages = (", ""),
        ("from captionstew.stages.encode import Encode\nEncode('mp3')", "no codec 'mp3'", "line 2, Encode('mp3')",
         "choose one of"),
        ("1 / 0", "the recipe does not run", "line 1, 1 / 0", ""),
        ("raise SystemExit(3)", "the recipe does not run", "line 1", ""),
        ("x = 1", "must hold one Pipeline", "", "Pipeline(name=..."),
    ],
)  # fmt: skip
def test_an_error_in_a_recipe_has_its_line_and_a_remedy(
    write: Write, text: str, message: str, where: str, hint: str
) -> None:
    with pytest.raises(RecipeError) as error:
        recipe(write(text))
    assert error.value.message.startswith("mine.py")
    assert message in error.value.message
    assert where in error.value.where
    assert hint in error.value.hint


def test_a_missing_file_or_name_is_answered_with_the_nearest(write: Write, tmp_path: Path) -> None:
    path = write(GOOD)
    with pytest.raises(RecipeError) as error:
        recipe(str(tmp_path / "mien.py"))
    assert path in error.value.hint
    with pytest.raises(RecipeError, match='no recipe or corpus "papr"') as error:
        recipe("papr")
    assert error.value.hint == "did you mean `paper`?"


def test_the_recipe_of_one_corpus_needs_its_name() -> None:
    with pytest.raises(RecipeError, match="the recipe corpus has no corpora") as error:
        recipe("corpus")
    assert "captionstew build clotho" in error.value.hint
