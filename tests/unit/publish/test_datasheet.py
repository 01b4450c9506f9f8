"""The datasheet answers the questions of all seven sections, from the manifest and the facts alone."""

from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.publish.contents import Release
from captionstew.publish.datasheet import datasheet
from captionstew.publish.prose import filled, prose, reason

from .builds import clip
from .releases import prepared, rich

SECTIONS = ["Motivation", "Composition", "Collection process", "Preprocessing, cleaning, labelling", "Uses",
            "Distribution", "Maintenance"]  # fmt: skip


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


def test_all_seven_sections_are_there_and_every_question_has_an_answer(release: Release) -> None:
    page = datasheet(release)
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == SECTIONS
    blocks = page.split("\n\n")
    for asked, answered in zip(blocks, [*blocks[1:], ""], strict=True):
        if asked.startswith("**"):
            assert asked.endswith("?**")
            assert answered
            assert not answered.startswith(("**", "## "))


def test_its_numbers_are_those_of_the_manifest(release: Release) -> None:
    page = " ".join(datasheet(release).split())
    assert "30 clips, under 0.01 hours, with 33 captions." in page
    assert (
        "of 39 rows that the corpora list, 30 are in here. 0 were merged into another row's clip. 8 had no"
        in page
    )
    assert "- FSD50K: 9 clips" in page
    assert "train 23 clips and test 7 clips" in page
    assert "By `lmsys/vicuna-7b-v1.5`: 3 of 5 passed the rules (60 %)." in page
    assert "The audio of 4 clips of 1 corpus is not passed on" in page
    assert "Taken down so far: 1 clip." in page


def test_people_are_spoken_of_where_there_are_voices(release: Release, tmp_path: Path) -> None:
    assert "Yes: voices" in datasheet(release)
    sounds = prepared(tmp_path, [clip(1, "fsd50k", "CC0-1.0")]).release
    page = datasheet(replace(sounds, manifest=replace(sounds.manifest, enrichment=(), leaks=())))
    assert "Yes: voices" not in page
    assert "None was generated for this version" in page
    assert "No evaluation set was compared." in page


def test_sentences_name_only_what_is_computed() -> None:
    with pytest.raises(AssertionError, match="nobody computes"):
        filled("{clips} of {whatever}", {"clips": 1})
    assert filled("  two\n  lines {a}", {"a": "{b}"}) == "two\nlines {b}"


def test_every_reason_of_stages_and_rules_is_explained() -> None:
    from captionstew.enrich.attempts import FAILED
    from captionstew.enrich.guard import REASONS

    known = prose("reasons")
    assert not {*REASONS, FAILED} - set(known)
    assert reason("some-new-reason") == "some new reason"
