"""What is checked before any work: names, folders, annotation files, the output folder."""

from pathlib import Path

import pytest

from .conftest import Cli


def audiocaps(folder: Path, *splits: str) -> Path:
    """Annotations in the layout of AudioCaps."""
    (folder / "dataset").mkdir(parents=True)
    for split in splits:
        text = "audiocap_id,youtube_id,start_time,caption\n1,aaaaaaaaaaa,30,A dog barks\n"
        (folder / "dataset" / f"{split}.csv").write_text(text, encoding="utf-8")
    return folder


def test_every_corpus_whose_files_are_missing_is_told_at_once(cli: Cli, tmp_path: Path) -> None:
    said = cli("build", "paper", "--offline")
    assert said.code == 1
    for name in ("audiocaps", "wavcaps-bbc", "audiosetcaps-youtube8m"):
        assert f"build   {name}: " in said.err
    assert "compare esc50: " in said.err
    assert "hint: or build a part: --only audiocaps" in said.err
    assert not (tmp_path / "build").exists()


def test_an_evaluation_set_that_cannot_be_compared_with_stops_the_build(cli: Cli, tmp_path: Path) -> None:
    given = ["--offline", "--audio", f"audiocaps={audiocaps(tmp_path / 'ac', 'train', 'val', 'test')}"]
    lists = cli("build", "paper", "--only", "audiocaps", *given, "--set", "against=audiocaps")
    assert "hint: or do without the comparison: --set blocklists=" in lists.err
    said = cli(
        "build",
        "paper",
        "--only",
        "audiocaps",
        *given,
        "--set",
        "against=audiocaps,clotho",
        "--set",
        "blocklists=",
    )
    assert said.code == 1
    assert said.err.startswith("error: clotho: clotho_captions_")
    assert "hint: or do without the comparison: --set against=audiocaps" in said.err


def test_a_missing_evaluation_split_stops_the_build_too(cli: Cli, tmp_path: Path) -> None:
    given = ["--offline", "--audio", f"audiocaps={audiocaps(tmp_path / 'ac', 'train', 'val')}"]
    said = cli(
        "build", "paper", "--only", "audiocaps", *given, "--set", "against=audiocaps", "--set", "blocklists="
    )
    assert said.code == 1
    assert "dataset/test.csv" in said.err
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--audio", "sampler-clotho"], "--audio sampler-clotho names no folder", "sampler-clotho=DIR"),
        (["--audio", "esc50=."], 'no corpus "esc50" takes part', "one of: sampler-audiocaps"),
        (["--audio", "sampler-clotho=sonds"], "there is no folder sonds", "did you mean `sounds`?"),
        (["--audio", "sampler-clotho=zzz"], "there is no folder zzz", "one of: other, sounds"),
        (["--audio", "sampler-clotho=file.txt"], "there is no folder file.txt", "give the folder it lies in"),
        (["--from", "sounds"], "sampler takes no --from", "captionstew build folder --from PATH"),
        (["--out", "file.txt/x"], "file.txt/x cannot be a folder", "choose another --out"),
        (["--out", "sounds"], "sounds is not empty and no build", "choose another --out"),
        (["--out", "other"], "other holds a build of esc50, not of sampler", "replace it with --fresh"),
    ],
)
def test_places_are_checked_before_any_work(
    cli: Cli, tmp_path: Path, words: list[str], message: str, hint: str
) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "notes.txt").write_text("mine")
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / ".git").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "recipe.json").write_text('{"recipe": "esc50"}')
    said = cli("build", "sampler", *words)
    assert said.code in {1, 2}
    assert message in said.err
    assert hint in said.err
    assert not (tmp_path / "build").exists()


def test_your_own_data_must_be_named(cli: Cli) -> None:
    said = cli("build", "folder")
    assert said.code == 2
    assert "folder needs --from PATH" in said.err
    assert cli("build", "folder", "--from", "nowhere").code == 1


def test_fresh_never_empties_a_folder_that_is_no_build(cli: Cli, tmp_path: Path, sounds: Path) -> None:
    (tmp_path / "mine" / "data").mkdir(parents=True)
    said = cli("build", "folder", "--from", sounds, "--out", "mine", "--fresh")
    assert said.code == 1
    assert (tmp_path / "mine" / "data").is_dir()


def test_a_damaged_recipe_file_is_said_and_not_a_bug(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.json").write_text('{"recipe"')
    for words in (["build", "sampler", "--out", "out"], ["status", "out"]):
        said = cli(*words)
        assert said.code == 1
        assert "error: recipe.json is damaged" in said.err
