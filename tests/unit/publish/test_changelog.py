"""The changelog counts what a version changed, keeps what was written before, and writes a tag once."""

from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.publish.changelog import changelog, published, reasons
from captionstew.publish.contents import Release, Removal

from .releases import clips, prepared, rich


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(first: Release, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """Another build after the first: without one corpus, one clip fewer, a new corpus."""
    folder: Path = tmp_path_factory.mktemp("second")
    rows = [row for row in clips() if row["corpus"] != "libritts-p" and row["clip_id"] != "fs:000030"]
    rows += [row | {"corpus": "sampler-clotho", "clip_id": f"fs:9{n}"} for n, row in enumerate(clips()[5:8])]
    made = prepared(folder, rows).release
    page = changelog(first, "2026-11-21")
    return replace(made, tag="v2.0.0", previous=first.manifest, previous_tag="v1.0.0", changelog=page)


def test_the_first_version_says_what_there_is(first: Release) -> None:
    page = changelog(first, "2026-11-21")
    assert page.startswith("# Changelog\n")
    assert "## v1.0.0 · 2026-11-21\n\nFirst version: 30 clips, under 0.01 hours, 33 captions." in page
    assert "| fsd50k | 9 | under 0.01 | 9 | audio, audio-nc, audio-sa, captions |" in page


def test_a_later_version_counts_against_the_one_before(second: Release) -> None:
    page = changelog(second, "2026-12-01")
    section = page[page.index("## v2.0.0") : page.index("## v1.0.0")]
    assert "Major version, since v1.0.0:" in section
    assert "- corpora added: sampler-clotho\n- corpora removed: libritts-p\n" in section
    assert "- 1 clip fewer in corpora that were there" in section
    assert "| fsd50k | changed | 8 | 9 | 8 | 9 |" in section
    assert "| audiocaps | same | 4 | 4 |" in section
    assert "| libritts-p | removed | 0 | 3 |" in section


def test_older_sections_stay_letter_by_letter(second: Release) -> None:
    mine = second.changelog.replace("First version", "My own words | as I wrote them\n\nFirst version")
    page = changelog(replace(second, changelog=mine), "2026-12-01")
    assert page.endswith(mine[mine.index("## v1.0.0") :])
    assert page.count("# Changelog\n") == 1
    prefaced = changelog(replace(second, changelog="# Ours\n\nA preface.\n\n" + mine[mine.index("## ") :]))
    assert prefaced.startswith("# Ours\n\nA preface.\n\n## v2.0.0\n")
    assert changelog(replace(second, changelog="# Ours\n\nNo version yet.")).startswith(
        "# Ours\n\nNo version yet.\n\n## v2"
    )


def test_a_tag_that_is_there_is_not_written_again(second: Release) -> None:
    page = changelog(second, "2026-12-01")
    again = replace(second, changelog=page, previous=second.manifest, previous_tag="v2.0.0")
    assert changelog(again, "2027-01-01") == page
    assert (published(again), published(second)) == ("2026-12-01", None)


def test_evaluation_splits_columns_and_take_downs_are_named(first: Release) -> None:
    old = first.manifest
    files = tuple(replace(one, schema="clip.v2") if one.schema == "clip.v1" else one for one in old.files)
    totals = tuple(
        replace(one, clips=9, licenses={name: replace(share, clips=9) for name, share in one.licenses.items()})
        if one.split == "test" and one.corpus == "audiocaps" else one
        for one in old.totals
    )  # fmt: skip
    taken = Removal("fs:000001", "asked", "2026-11-30", "v1.0.1")
    release = replace(
        first, manifest=replace(old, files=files, totals=totals, recipe_digest="1" * 16), previous=old,
        previous_tag="v1.0.0", tag="v1.0.1", removals=(taken,),
    )  # fmt: skip
    assert reasons(release) == [
        "columns: caption.v1, clip.v1 became caption.v1, clip.v2",
        "evaluation splits changed: audiocaps test 4 to 9",
        "taken down: 1 clip",
        "the recipe changed: 0000000000000000 became 1111111111111111",
    ]


def test_captions_that_changed_in_place_are_told(first: Release) -> None:
    old = first.manifest
    files = tuple(replace(one, sha256="0" * 64) if one.corpus == "fsd50k" else one for one in old.files)
    release = replace(
        first, manifest=replace(old, files=files), previous=old, previous_tag="v1.0.0", removals=()
    )
    assert reasons(release) == ["rows changed, as many as before: fsd50k"]
    same = replace(first, previous=old, previous_tag="v1.0.0", removals=())
    assert reasons(same) == ["nothing but the documents"]


def test_the_publishers_own_words_cannot_break_the_page(first: Release) -> None:
    page = changelog(replace(first, notes=("## v9.9.9", "a <b> | c")))
    assert "\n## v9.9.9" not in page
    assert "a &#60;b&#62; &#124; c" in page
