"""Two versions of one build on the Hub: published, published again, read, taken back to audio."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
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
def story(hub_server: "LoopbackHub", sampler_build: Path, tmp_path_factory: pytest.TempPathFactory) -> Story:
    home = tmp_path_factory.mktemp("publish")
    pipeline = recipe("sampler")
    facts = tuple(corpus(name) for name in pipeline.corpora)
    for name in ("one", "two"):
        shutil.copytree(sampler_build, home / name)
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
    assert first["tag"] == "v1.0.0"
    assert 0.9 < first["sent"]["bytes"] / first["bytes"] < 1.1  # chunks are packed, and described
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


def test_both_versions_load_in_other_libraries(at_home: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="the Hub's own loader is not here")
    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", at_home.hub.url)  # read when it was imported
    from huggingface_hub import HfFileSystem

    ids, tags = {}, ("v1.0.0", at_home.second["tag"])
    for tag in tags:
        rows = datasets.load_dataset(NAME, "captions", split="train", streaming=True, revision=tag)
        ids[tag] = {row["clip_id"] for row in rows}
        place = f"datasets/{NAME}@{tag}/data/audio/sampler-clotho/train-00000-of-00001.parquet"
        system = HfFileSystem(skip_instance_cache=True)
        table = pq.read_table(place, filesystem=system, columns=["clip_id", "captions"])
        assert 0 < len(table) == len(ids[tag] & set(table["clip_id"].to_pylist()))
    assert ids[tags[0]] - ids[tags[1]] == set(at_home.gone)


def test_both_versions_have_a_report_and_the_second_says_what_went(at_home: Story, tmp_path: Path) -> None:
    pytest.importorskip("librosa", reason="reports draw with librosa")
    later = (f"hf://{NAME}@{at_home.second['tag']}", "--against", f"hf://{NAME}@v1.0.0", "--public")
    pages = []
    for number, (place, *more) in enumerate(((str(at_home.build),), later)):
        out = tmp_path / f"{number}.html"
        assert main(["report", place, "--out", str(out), "--clips", "3", *more]) == 0
        pages.append(out.read_text("utf-8"))
    assert all(page.count("<audio") == 3 and len(page) < 5_000_000 for page in pages)
    assert f"0 clips added, {len(at_home.gone)} removed" in pages[1]
    assert "Since the last version" in pages[1]


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
