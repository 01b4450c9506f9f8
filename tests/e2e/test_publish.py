"""Two versions of one build on the Hub: published, published again, read, taken back to audio."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from captionstew.cli.main import main
from captionstew.corpora.facts import corpus
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import override, recipe
from captionstew.shards.batching import Batching
from captionstew.shards.layout import audio_files, inside
from captionstew.shards.loader import Loader, as_it_is
from captionstew.shards.plan import Plan
from captionstew.shards.read import Clips

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

pytest.importorskip("huggingface_hub", reason="the Hub's own client is not here")
NAME = "org/sampler"
EVERY = 100  # one clip of so many is taken down


@dataclass(frozen=True)
class Story:
    """A build, the same with one caption rule changed and one clip in a hundred taken down, and what was sent."""

    build: Path
    changed: Path
    gone: tuple[str, ...]
    first: dict[str, Any]
    again: dict[str, Any]
    second: dict[str, Any]
    hub: "LoopbackHub"


@pytest.fixture(scope="module")
def story(hub_server: "LoopbackHub", tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = tmp_path_factory.mktemp("publish")
    pipeline = recipe("sampler")
    facts = tuple(corpus(name) for name in pipeline.corpora)
    Build(Request(pipeline, home / "one", facts, cluster="none")).run()
    shutil.copytree(home / "one", home / "two")
    rule = override(pipeline, ["resemblance=0.5"])
    Build(Request(rule, home / "two", facts, cluster="none")).run()
    clips = Clips(home / "two")
    train = [number for part in clips.ranges(split="train") for number in part][::EVERY]
    gone = [clips.row(number, ["clip_id"])["clip_id"][0].as_py() for number in train]
    table = home / "gone.csv"
    rows = [(name, "its maker asked", "2026-01-31") for name in gone]
    pl.DataFrame(rows, schema=["clip_id", "reason", "date"], orient="row").write_csv(table)

    def publish(*words: str) -> dict[str, Any]:
        """By Xet, which a process of its own lets go of."""
        line = [sys.executable, "-m", "captionstew", "publish", *words, "--yes", "--json"]
        done = subprocess.run(
            line, env=hub_server.environment(home), cwd=home, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    first, again = publish("one", NAME), publish("one", NAME)
    return Story(
        home / "one",
        home / "two",
        tuple(gone),
        first,
        again,
        publish("two", NAME, "--remove", str(table)),
        hub_server,
    )


@pytest.fixture
def at_home(story: Story, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Story:
    """The same Hub for this process."""
    story.hub.forget()
    story.hub.enter(monkeypatch, tmp_path / "home")
    return story


def test_the_second_version_sends_what_changed_and_the_same_version_nothing(story: Story) -> None:
    first, again, second = story.first, story.again, story.second
    assert (first["tag"], first["sent"]["bytes"] > first["bytes"]) == ("v1.0.0", True)
    assert (again["step"], again["sent"]["bytes"], again["new"], again["changed"]) == (None, 0, 0, 0)
    assert second["withdrawn"] == len(story.gone) >= 2
    assert second["step"]["level"] == "patch"  # captions and training clips went
    sent, total = second["sent"]["bytes"], second["bytes"]
    print(f"first {first['sent']['bytes']:,} bytes, second {sent:,} of {total:,} bytes: {sent / total:.1%}")
    assert sent < 0.2 * total


def test_both_versions_train(at_home: Story) -> None:
    def read(tag: str) -> tuple[int, set[str]]:
        clips = Clips(f"hf://datasets/{NAME}@{tag}")
        settings = Batching(seconds=40, longest=10, captions="one", split="")
        with Loader(clips, Plan.of(clips, settings), as_it_is, threads=2) as loader:
            assert next(iter(loader))
        ids = {name for group in clips.groups(["clip_id"]) for name in group["clip_id"].to_pylist()}
        return len(clips), ids

    (before, old), (after, new) = read("v1.0.0"), read(at_home.second["tag"])
    assert before == 240 > after
    assert set(at_home.gone) <= old - new


def test_every_promise_holds_on_the_hub_and_in_the_folder_of_a_dry_run(
    at_home: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    for tag in ("v1.0.0", at_home.second["tag"]):
        assert main(["validate", f"hf://{NAME}@{tag}"]) == 0, capsys.readouterr()
    capsys.readouterr()
    assert (
        main(["publish", str(at_home.changed), "org/elsewhere", "--dry-run", "--tier", "captions", "--json"])
        == 0
    )
    folder = json.loads(capsys.readouterr().out)["folder"]
    assert main(["validate", folder]) == 0
    summed = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(summed, cwd=folder, check=False, capture_output=True).returncode == 0
    assert not audio_files(Path(folder))


def test_captions_and_audio_at_home_give_the_very_shards_of_the_release(
    at_home: Story, tmp_path: Path
) -> None:
    tag = at_home.second["tag"]
    source = at_home.changed / "source"
    audio = [word for path in sorted(source.iterdir()) for word in ("--audio", f"{path.name}={path}")]
    assert (
        main(
            ["attach", f"hf://{NAME}@{tag}", *audio, "--out", str(tmp_path / "attached"), "--cluster", "none"]
        )
        == 0
    )
    published = {
        path: content
        for path, content in at_home.hub.files(NAME, tag).items()
        if path.startswith("data/audio/")
    }
    attached = {
        inside(tmp_path / "attached", path): path.read_bytes() for path in audio_files(tmp_path / "attached")
    }
    assert attached.keys() == published.keys()
    assert [path for path in published if attached[path] != published[path]] == []
