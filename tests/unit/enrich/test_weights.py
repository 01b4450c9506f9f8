"""Models in folders: other weights are another revision, and no path of this machine is their name."""

import os
from pathlib import Path

import pytest

from captionstew.enrich.weights import _LARGE, _hashed, called, revision_here, revision_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with a configuration, a chat template and weights too large to be read at each start."""
    model = tmp_path / "vicuna-mine"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "chat_template.jinja").write_text("{{ messages }}")
    with (model / "model.safetensors").open("wb") as file:
        file.truncate(_LARGE)
    return model


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hashes are kept."""
    monkeypatch.setenv("CAPTIONSTEW_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "hashes"


def changed(file: Path) -> None:
    """One byte of the file, which is as long as before."""
    with file.open("r+b") as open_file:
        open_file.seek(-1, os.SEEK_END)
        open_file.write(b"x")


@pytest.mark.parametrize("name", ["config.json", "chat_template.jinja", "model.safetensors"])
def test_any_changed_file_of_a_model_is_another_revision(folder: Path, name: str) -> None:
    before = revision_of(folder)
    assert revision_of(folder) == before
    changed(folder / name)
    assert revision_of(folder) != before


def test_the_same_files_elsewhere_are_the_same_revision(folder: Path, tmp_path: Path) -> None:
    before = revision_of(folder)
    moved = folder.rename(tmp_path / "other")
    (moved / "README.md").write_text("no part of the model")
    assert revision_of(moved) == before


def test_large_weights_are_read_once_and_not_again_by_the_next_process(folder: Path, home: Path) -> None:
    before = revision_of(folder)
    (kept,) = home.iterdir()
    kept.write_text("0" * 64)  # the next process takes its word
    _hashed.cache_clear()
    assert revision_of(folder) != before
    kept.unlink()
    _hashed.cache_clear()
    assert revision_of(folder) == before


def test_hashes_that_cannot_be_kept_are_computed_each_time(folder: Path, home: Path) -> None:
    home.parent.mkdir()
    home.write_text("a file where the folder would be")
    assert revision_of(folder) == revision_of(folder)


def test_what_was_given_and_names_on_the_hub_stay_as_they_are(folder: Path) -> None:
    assert revision_here(str(folder), "abc") == "abc"
    assert revision_here(str(folder)) == revision_of(folder)
    assert revision_here("lmsys/vicuna-7b-v1.5") == revision_here("") == ""


def test_a_folder_is_called_by_its_last_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    for one in (
        str(folder),
        f"{folder}/",
        "vicuna-mine",
        "./vicuna-mine",
        "~/models/vicuna-mine",
        "/gone/vicuna-mine",
    ):
        assert called(one) == "vicuna-mine", one
    monkeypatch.chdir(folder)
    assert called(".") == "vicuna-mine"
    for one in ("lmsys/vicuna-7b-v1.5", "gpt2", "", "labels of the corpora"):
        assert called(one) == one
