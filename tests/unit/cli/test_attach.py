"""attach: what is said before, during and after the audio of a captions release is made again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile

from captionstew.cli.resume import started
from captionstew.digest import file_sha256
from captionstew.shards.layout import shard_files

from ..fetch.conftest import Site
from .checkouts import Checkout
from .conftest import NUM_SOUNDS, Cli

SHARD = "data/audio/folder/train-00000-of-00001.parquet"


@pytest.fixture(scope="session")
def captions(built: Path, captions_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The captions release of the build of sounds; not to be changed."""
    return captions_of(built, tmp_path_factory.mktemp("captions"))


@pytest.fixture
def mixed(sounds: Path, tmp_path: Path, melody: Callable[..., Any]) -> Path:
    """The sounds: two as they are, an Opus copy, another melody, one cut short, one missing."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in (0, 1):
        shutil.copy(sounds / f"tune {number}.wav", folder)
    samples, rate = soundfile.read(sounds / "tune 2.wav")
    soundfile.write(folder / "tune 2.opus", samples, rate, format="OGG", subtype="OPUS")
    soundfile.write(folder / "tune 3.wav", melody(99, seconds=1.5), rate)
    soundfile.write(folder / "tune 4.wav", samples[: rate // 2], rate)
    return folder


def test_the_shards_are_those_of_the_build(cli: Cli, captions: Path, sounds: Path, built: Path) -> None:
    said = cli("attach", captions, "--audio", f"folder={sounds}", "--out", "out")
    assert (said.code, said.out.splitlines()[-1]) == (0, "Next: captionstew validate out")
    assert f"published {NUM_SOUNDS} = attached {NUM_SOUNDS} + left out 0" in said.out
    assert file_sha256(Path("out", SHARD)) == file_sha256(built / SHARD)
    assert cli("validate", "out").code == 0
    assert cli("status", "out").code == 0


def test_every_clip_that_is_not_as_published_is_listed_with_its_reason(
    cli: Cli, captions: Path, mixed: Path
) -> None:
    words = ["attach", captions, "--audio", f"folder={mixed}", "--out", "out"]
    assert cli(*words).code == 0
    listed = pl.read_csv("out/attach.csv")
    gone = {
        "folder:tune 3.wav": "other-audio",
        "folder:tune 4.wav": "other-length",
        "folder:tune 5.wav": "missing",
    }
    assert dict(listed.select("clip_id", "reason").iter_rows()) == gone | {"folder:tune 2.wav": "other-copy"}
    facts = json.loads(cli(*words, "--accept-other-audio", "--list", "mine.parquet", "--json").out)
    (corpus,) = facts["corpora"]
    assert (corpus["published"], corpus["kept"], corpus["copies"], corpus["missing"]) == (NUM_SOUNDS, 3, 1, 1)
    listed = pl.read_parquet("mine.parquet")
    assert dict(listed.select("clip_id", "reason").iter_rows()) == gone | {"folder:tune 2.wav": "copy"}


def test_a_dry_run_says_what_is_here_and_writes_nothing(cli: Cli, captions: Path, mixed: Path) -> None:
    before = set(Path.cwd().iterdir())
    said = cli("attach", captions, "--audio", f"folder={mixed}", "--dry-run")
    assert said.code == 0
    assert f"5 of {NUM_SOUNDS} clips (83 %) are here; nothing was written" in said.out
    assert said.out.splitlines()[-1] == f"Next: captionstew attach {captions} --audio folder=mixed"
    assert set(Path.cwd().iterdir()) == before
    facts = json.loads(cli("attach", captions, "--audio", f"folder={mixed}", "--dry-run", "--list", "gone.csv",
                           "--json").out)  # fmt: skip
    assert facts["corpora"][0]["drops"] == {"missing": 1}
    assert pl.read_csv("gone.csv")["clip_id"].to_list() == ["folder:tune 5.wav"]


def test_an_attached_build_knows_the_command_that_continues_it(
    cli: Cli, captions: Path, sounds: Path
) -> None:
    words = ["attach", captions, "--audio", f"folder={sounds}", "--codec", "opus", "--out", "out"]
    assert cli(*words).code == 0
    assert (
        str(started(Path("out")))
        == f"captionstew attach {captions} --audio folder={sounds} --codec opus --out out"
    )
    assert pl.read_parquet(Path("out", SHARD))["codec"].unique().to_list() == ["opus"]
    assert json.loads(cli(*words, "--json").out)["done"] == 0


def test_what_was_taken_down_is_taken_out(cli: Cli, captions: Path, sounds: Path, tmp_path: Path) -> None:
    release = shutil.copytree(captions, tmp_path / "release")
    words = ["attach", release, "--audio", f"folder={sounds}", "--out", "out", "--quiet"]
    assert cli(*words).code == 0
    pl.DataFrame({"clip_id": ["folder:tune 1.wav"]}).write_parquet(release / "removed.parquet")
    assert cli(*words).code == 0
    ids = pl.read_parquet(Path("out", SHARD))["clip_id"].to_list()
    assert ids == [f"folder:tune {number}.wav" for number in (0, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "no audio is given to attach"),
        (["--audio", "foldr=sounds"], 1, "did you mean `folder`?"),
        (["--audio", "folder=absent"], 1, "there is no folder absent"),
        (["--audio", "folder=.", "--codec", "mp3"], 1, "choose one of flac, opus, pcm-zstd"),
        (["--audio", "folder=.", "--only", "clotho"], 1, 'no corpus "clotho"'),
        (["--audio", "folder=."], 1, "looked for files such as tune 0.wav"),
        (["--audio", "folder=.", "--cluster", "moon"], 2, "is nowhere"),
        (["--audio", "folder=.", "--list", "gone.txt"], 2, "end its name in .csv or .parquet"),
        (["--audio", "folder=.", "--list", "."], 2, "name a file: --list attach.csv"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    cli: Cli, captions: Path, words: list[str], code: int, told: str
) -> None:
    said = cli("attach", captions, *words, "--out", "out")
    assert (said.code, told in said.err) == (code, True), said.err
    assert not Path("out").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that takes no files, whoever asks")
def test_where_nothing_can_be_written_is_said(cli: Cli, captions: Path, sounds: Path) -> None:
    words = ["attach", captions, "--audio", f"folder={sounds}"]
    for more, option in (
        (["--out", "/proc/new"], "--out"),
        (["--list", "/proc/x.csv", "--dry-run"], "--list"),
    ):
        said = cli(*words, *more)
        assert (said.code, "Traceback" in said.err) == (1, False)
        assert f"choose another with {option}" in said.err


def test_a_build_of_something_else_is_not_written_over(
    cli: Cli, captions: Path, sounds: Path, built: Path
) -> None:
    said = cli("attach", captions, "--audio", f"folder={sounds}", "--out", built)
    assert said.code == 1
    assert "holds a build of folder, not of folder-attached" in said.err


def test_audio_of_which_nothing_is_the_release_s_is_told_apart(
    cli: Cli, captions: Path, sounds: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    for path in sounds.glob("tune*.wav"):
        samples, rate = soundfile.read(path)
        soundfile.write(folder / path.name, np.asarray(samples) / 2, rate)
    said = cli("attach", captions, "--audio", f"folder={folder}", "--out", "out")
    assert said.code == 1
    assert "none of the audio is that of the release" in said.err
    assert "--accept-other-audio keeps copies" in said.err
    assert (
        cli("attach", captions, "--audio", f"folder={folder}", "--out", "out", "--accept-other-audio").code
        == 0
    )


def test_a_release_on_the_hub_is_attached_to(
    cli: Cli, captions: Path, sounds: Path, built: Path, hub: Any
) -> None:
    from huggingface_hub import HfApi

    name, api = hub.fresh(), HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(name, repo_type="dataset")
    api.upload_folder(repo_id=name, folder_path=captions, repo_type="dataset")
    api.create_tag(name, tag="v1.0.0", repo_type="dataset")
    said = cli("attach", f"hf://{name}@v1.0.0", "--audio", f"folder={sounds}", "--out", "out")
    assert said.code == 0, said.err
    assert file_sha256(Path("out", SHARD)) == file_sha256(built / SHARD)
    assert str(started(Path("out"))).startswith(f"captionstew attach hf://{name}@v1.0.0 ")
    shown = cli("inspect", f"hf://{name}", "--clip", "folder:tune 1.wav")
    assert "captions only" in shown.out
    assert cli("inspect", f"hf://{name}", "--clip", "folder:tunes 1.wav").code == 1


def test_what_names_the_files_is_fetched_and_what_was_fetched_needs_no_folder(
    checkout: Checkout, tiny: str, site: Site, captions_of: Callable[..., Path], tmp_path: Path
) -> None:
    assert checkout.run("build", tiny, "--cluster", "none", "--out", "out")[0] == 0
    release = captions_of(checkout.folder / "out", tmp_path / "release")
    (built,) = shard_files(checkout.folder / "out")
    shard, wanted = built.relative_to(checkout.folder / "out"), file_sha256(built)
    audio = Path(shutil.copytree(checkout.store / "corpora" / tiny / "audio", tmp_path / "audio"))
    assert checkout.run("attach", release, "--out", "stored")[0] == 0  # the store has it
    assert file_sha256(checkout.folder / "stored" / shard) == wanted
    shutil.rmtree(checkout.store)
    code, _, err = checkout.run(
        "attach", release, "--audio", f"{tiny}={audio}", "--out", "given", "--offline"
    )
    assert (code, "tiny.csv is missing" in err) == (1, True)
    assert checkout.run("attach", release, "--audio", f"{tiny}={audio}", "--out", "given")[0] == 0
    assert file_sha256(checkout.folder / "given" / shard) == wanted
    assert len(site.gets("/tiny.zip")) == 1  # by the build: audio that was given is not fetched
