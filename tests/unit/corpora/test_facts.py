"""Facts: found by name, inherited with `like`, refused with the file named where they are wrong."""

from pathlib import Path

import pytest

from captionstew.corpora.facts import corpora, corpus
from captionstew.errors import CorpusError
from captionstew.rooms import room

AUDIOCAPS = (room("pipelines") / "corpora" / "audiocaps.toml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "audiocaps.toml").write_text(AUDIOCAPS, encoding="utf-8")
    return tmp_path


def test_a_misspelt_corpus_is_guessed() -> None:
    with pytest.raises(CorpusError, match="there is no corpus `audiocap`") as error:
        corpus("audiocap")
    assert error.value.hint == "did you mean `audiocaps`?"


def test_a_path_is_no_name() -> None:
    with pytest.raises(CorpusError, match="there is no corpus"):
        corpus("../corpora/audiocaps")


def test_an_unknown_key_names_the_file_and_the_table(folder: Path) -> None:
    text = AUDIOCAPS.replace("captions_url  =", "caption_url  =")
    (folder / "audiocaps.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match="unknown key `caption_url`") as error:
        corpus("audiocaps", folder)
    assert error.value.where == "audiocaps.toml, license"
    assert error.value.hint == "did you mean `captions_url`?"


def test_broken_toml_is_named(folder: Path) -> None:
    (folder / "audiocaps.toml").write_text("name = ", encoding="utf-8")
    with pytest.raises(CorpusError, match="not TOML"):
        corpus("audiocaps", folder)


def test_the_name_is_that_of_the_file(folder: Path) -> None:
    (folder / "other.toml").write_text(AUDIOCAPS, encoding="utf-8")
    with pytest.raises(CorpusError, match="the name is 'audiocaps'"):
        corpus("other", folder)


def test_a_corpus_like_another_takes_its_layout_but_not_its_addresses_and_hashes(folder: Path) -> None:
    text = 'name = "mine"\ntitle = "Mine"\nlike = "audiocaps"\nmade_by = "sampler"\n[id]\nscheme = "mine"\n'
    (folder / "mine.toml").write_text(text + '[license]\naudio = "CC0-1.0"\n', encoding="utf-8")
    mine, theirs = corpus("mine", folder), corpus("audiocaps", folder)
    assert [file.path for file in mine.files] == [file.path for file in theirs.files]
    assert mine.files[0].read == theirs.files[0].read
    assert (mine.id.form, mine.id.scheme, mine.id.columns) == ("youtube", "mine", theirs.id.columns)
    assert (mine.license.audio, mine.license.captions) == ("CC0-1.0", theirs.license.captions)
    assert theirs.files[0].sha256
    assert all(
        (file.sha256, file.url, file.bytes, file.gives) == (None, None, None, ()) for file in mine.files
    )


def test_a_corpus_like_itself_is_refused(folder: Path) -> None:
    (folder / "a.toml").write_text('name = "a"\nlike = "b"\n', encoding="utf-8")
    (folder / "b.toml").write_text('name = "b"\nlike = "a"\n', encoding="utf-8")
    with pytest.raises(CorpusError, match="like itself"):
        corpus("a", folder)


def test_a_split_that_means_nothing_is_refused(folder: Path) -> None:
    text = AUDIOCAPS.replace("[splits]", '[splits]\nnames = { dev = "validation" }')
    (folder / "audiocaps.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match="dev = 'validation' is no split"):
        corpus("audiocaps", folder)


def test_a_licence_per_clip_needs_a_column(folder: Path) -> None:
    text = AUDIOCAPS.replace('"LicenseRef-YouTube"', '"per-clip"')
    (folder / "audiocaps.toml").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match="no column says it"):
        corpus("audiocaps", folder)


def test_all_corpora_are_found_by_existing(folder: Path) -> None:
    (folder / "notes.md").write_text("no corpus", encoding="utf-8")
    assert [one.name for one in corpora(folder)] == ["audiocaps"]
