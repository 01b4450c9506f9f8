"""Whole builds on tiny audio: what stops them must not change what they make."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from captionstew.corpora.readers.folder import own
from captionstew.errors import BuildError
from captionstew.pipeline.build import Build
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.progress import Event
from captionstew.pipeline.request import Request, Summary
from captionstew.pipeline.stage import Stage
from captionstew.pipeline.units import audio_label
from captionstew.recipe import recipe
from captionstew.shards.layout import SIDECAR
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.validate import validate
from captionstew.stages.clean import Clean
from captionstew.stages.duration import Duration
from captionstew.stages.encode import Encode
from captionstew.stages.quality import Quality
from captionstew.stages.shard import Shard

CLIPS = 24
FORMATS = [("wav", 44_100), ("flac", 16_000), ("ogg", 22_050), ("mp3", 32_000)]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of clips in four formats; one is silent, one is cut short, one is missing, one stands there twice."""
    folder = tmp_path_factory.mktemp("own")
    rows = [
        {"audio": name, "caption": f"sound number {i}" if i else "hum"}
        for i, name in enumerate(_clips(folder))
    ]
    rows += [{"audio": "absent.wav", "caption": "nobody hears this"}]
    path = folder / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _clips(folder: Path) -> list[str]:
    names = []
    for i in range(CLIPS):
        suffix, rate = FORMATS[i % len(FORMATS)]
        generator = np.random.default_rng(i)
        samples = 0.1 * generator.standard_normal(int(rate * (1.2 + 0.1 * i)))
        path = folder / f"clip-{i:02}.{suffix}"
        soundfile.write(path, samples.astype(np.float32), rate)
        names.append(path.name)
    soundfile.write(folder / "silent.wav", np.zeros(32_000), 16_000)
    (folder / "twice.wav").write_bytes((folder / names[0]).read_bytes())
    (folder / "short.flac").write_bytes((folder / names[1]).read_bytes()[:9000])
    return [*names, "silent.wav", "twice.wav", "short.flac"]


def _request(table: Path, out: Path, **changes: object) -> Request:
    corpus, places = own(table)
    request = Request(
        recipe("folder"), out, (corpus,), {"folder": tuple(places)}, cluster="none", unit_bytes=400_000
    )
    return replace(request, **changes)  # type: ignore[arg-type]


def _build(table: Path, out: Path, **changes: object) -> Summary:
    return Build(_request(table, out, **changes)).run()


def _hashes(out: Path) -> dict[str, str]:
    """Everything that a build promises to make the same each time."""
    kept = [path for part in ("data", "index", "drops") for path in (out / part).rglob("*") if path.is_file()]
    kept += [out / "manifest.json", out / "SHA256SUMS"]
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}


@pytest.fixture(scope="module")
def built(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    _build(table, out)
    return out


def test_a_build_keeps_or_counts_every_row(built: Path) -> None:
    accounts = json.loads((built / "manifest.json").read_text())["accounting"]
    drops = {account["stage"]: account["drops"] for account in accounts if account["drops"]}
    assert drops == {
        "locate": {"missing": 1}, "normalize": {"truncated": 1}, "quality": {"silent": 1}, "dedupe": {"duplicate": 1},
    }  # fmt: skip
    rows = pl.read_parquet(sorted(built.glob("data/audio/folder/*.parquet")), columns=["clip_id"])
    assert rows["clip_id"].to_list() == [f"folder:clip-{i:02}.{FORMATS[i % 4][0]}" for i in range(CLIPS)]


def test_a_build_passes_its_own_validation(built: Path) -> None:
    report = validate(built)
    assert [check.name for check in report.checks if not check.passed] == []


def test_a_second_run_does_nothing(table: Path, built: Path) -> None:
    before = _hashes(built)
    summary = _build(table, built)
    assert (summary.done, _hashes(built)) == (0, before)


def test_flac_that_fits_passes_through_byte_for_byte(table: Path, built: Path) -> None:
    shard = pl.read_parquet(sorted(built.glob("data/audio/folder/*.parquet")))
    row = shard.filter(pl.col("clip_id") == "folder:clip-01.flac")
    assert row["audio"].struct.field("bytes")[0] == (table.parent / "clip-01.flac").read_bytes()


def test_rows_of_several_row_groups_keep_their_own_bytes(tmp_path: Path) -> None:
    """Row groups of 100 rows take turns in the same memory."""
    for i in range(230):
        noise = np.random.default_rng(i).standard_normal(1_700 + 300 * (i % 7))
        soundfile.write(tmp_path / f"{i:03}.flac", 0.1 * noise, 16_000, subtype="PCM_16")
    table = tmp_path / "table.jsonl"
    table.write_text(
        "".join(json.dumps({"audio": f"{i:03}.flac", "caption": f"sound {i}"}) + "\n" for i in range(230))
    )
    _build(table, tmp_path / "out")
    index = (tmp_path / "out" / SIDECAR).read_bytes()
    assert write_sidecar(tmp_path / "out").read_bytes() == index  # made without knowing what the build knew
    assert [check.name for check in validate(tmp_path / "out").checks if not check.passed] == []
    rows = pl.read_parquet(tmp_path / "out/data/audio/folder/*.parquet")
    assert len(rows) == 230
    for name, data in zip(rows["source_id"], rows["audio"].struct.field("bytes"), strict=True):
        assert data == (tmp_path / name.removeprefix("folder:")).read_bytes(), name


def test_threads_and_unit_size_do_not_change_the_shards(table: Path, built: Path, tmp_path: Path) -> None:
    _build(table, tmp_path / "one", unit_bytes=10_000_000)
    assert _hashes(tmp_path / "one") == _hashes(built)


def test_ray_makes_the_same_bytes(table: Path, built: Path, tmp_path: Path) -> None:
    summary = _build(table, tmp_path / "ray", cluster="local")
    assert summary.runner.startswith("Ray")
    assert _hashes(tmp_path / "ray") == _hashes(built)


class _Stopped(Exception):
    pass


@pytest.mark.parametrize("events", [1, 3, 7, 9, 11, 14, 17, 20])
def test_a_build_stopped_at_any_event_goes_on_to_the_same_bytes(
    table: Path, built: Path, tmp_path: Path, events: int
) -> None:
    seen: list[Event] = []

    def stop(event: Event) -> None:
        seen.append(event)
        if len(seen) == events:
            raise _Stopped

    with pytest.raises(_Stopped):
        Build(_request(table, tmp_path), stop).run()
    _build(table, tmp_path)
    assert _hashes(tmp_path) == _hashes(built)


_KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_build import _build
_build(Path(sys.argv[1]), Path(sys.argv[2]), unit_bytes=100_000)
"""


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.3, 0.5])
def test_a_killed_build_goes_on_to_the_same_bytes(
    table: Path, built: Path, tmp_path: Path, delay: float
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", _KILLED, str(table), str(out), str(Path(__file__).parent)]
    process = subprocess.Popen(command, start_new_session=True)
    while not (out / "ledger.jsonl").exists() and process.poll() is None:
        time.sleep(0.005)
    time.sleep(delay)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _build(table, out)
    assert _hashes(out) == _hashes(built)


def _with(pipeline: Pipeline, *stages: Stage) -> Pipeline:
    named = {stage.name: stage for stage in stages}
    return pipeline.with_stages(named.get(stage.name, stage) for stage in pipeline.stages)


def _stages_done(table: Path, out: Path, pipeline: Pipeline) -> set[str]:
    """The stages that this build had to work for."""
    seen: list[Event] = []
    Build(_request(table, out, pipeline=pipeline), seen.append).run()
    return {event.stage for event in seen if not event.skipped and event.done}


def test_editing_a_caption_rule_decodes_nothing_again(table: Path, tmp_path: Path) -> None:
    base = _request(table, tmp_path).pipeline
    _build(table, tmp_path)
    assert _stages_done(table, tmp_path, _with(base, Clean(most_words=200))) == {"clean"}
    assert _stages_done(table, tmp_path, _with(base, Clean(fewest_words=2))) == {"clean", "shard"}
    assert _stages_done(table, tmp_path, _with(base, Quality(most_silence=0.5))) >= {"quality"}
    audio = audio_label(base.audio)
    assert audio not in _stages_done(table, tmp_path, _with(base, Quality(most_silence=0.4)))
    assert audio in _stages_done(table, tmp_path, _with(base, Duration(shortest=2, longest=60)))


def test_changed_audio_is_read_again_and_nothing_else(table: Path, tmp_path: Path) -> None:
    own_table = tmp_path / "own" / "table.jsonl"
    own_table.parent.mkdir()
    for path in table.parent.iterdir():
        (own_table.parent / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    units = _build(own_table, out).done
    samples = 0.1 * np.random.default_rng(99).standard_normal(50_000)
    soundfile.write(own_table.parent / "clip-00.wav", samples, 44_100)
    again = _build(own_table, out)
    assert 0 < again.done < units
    assert validate(out).passed


@pytest.mark.parametrize("times_kept", [False, True])
def test_a_source_that_changes_before_it_is_packed_stops_the_build(
    table: Path, tmp_path: Path, times_kept: bool
) -> None:
    own_table, out = tmp_path / "own" / "table.jsonl", tmp_path / "out"
    own_table.parent.mkdir()
    for path in table.parent.iterdir():
        (own_table.parent / path.name).write_bytes(path.read_bytes())
    source = own_table.parent / "clip-05.flac"  # passes through
    whole, state = source.read_bytes(), source.stat()

    def change(event: Event) -> None:
        if event.stage == "shard":
            source.write_bytes(whole[:-200] + bytes(200))
            os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns + (not times_kept)))

    with pytest.raises(BuildError, match="an audio file changed during the build") as caught:
        Build(_request(own_table, out), change).run()
    assert caught.value.where == str(source)
    assert not list(out.glob("data/**/*.parquet"))
    if not times_kept:  # now it is a broken file like any other
        drops = _build(own_table, out).manifest.accounting
        assert (
            sum(account.drops.get("undecodable", 0) + account.drops.get("truncated", 0) for account in drops)
            == 2
        )
    source.write_bytes(whole)
    _build(own_table, out)
    assert validate(out).passed


def test_two_builds_in_one_folder_are_refused(table: Path, tmp_path: Path) -> None:
    def again(_event: Event) -> None:
        with pytest.raises(BuildError, match="another build is running"):
            _build(table, tmp_path)
        raise _Stopped

    with pytest.raises(_Stopped):
        Build(_request(table, tmp_path), again).run()


def test_fresh_begins_anew(table: Path, tmp_path: Path, built: Path) -> None:
    _build(table, tmp_path)
    (tmp_path / "mine.txt").write_text("not ours")
    assert _build(table, tmp_path, fresh=True).skipped == 0
    assert (tmp_path / "mine.txt").exists()
    assert _hashes(tmp_path) == _hashes(built)


def test_no_audio_at_all_is_an_error_that_says_where_to_look(table: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    (lonely / "table.jsonl").write_text(json.dumps({"audio": "gone.wav", "caption": "nothing"}) + "\n")
    with pytest.raises(BuildError, match="no clip has its audio here"):
        _build(lonely / "table.jsonl", tmp_path / "out")


def test_a_build_that_keeps_nothing_is_an_error_that_says_why(table: Path, tmp_path: Path) -> None:
    request = _request(table, tmp_path)
    with pytest.raises(BuildError, match="no clip is left") as error:
        Build(replace(request, pipeline=_with(request.pipeline, Clean(fewest_words=9)))).run()
    assert "no-caption 24" in error.value.cause


def test_opus_and_a_captions_tier_are_choices(table: Path, tmp_path: Path) -> None:
    pipeline = _with(
        _request(table, tmp_path).pipeline, Encode(codec="opus"), Shard(tiers=("audio", "captions"))
    )
    _build(table, tmp_path, pipeline=pipeline)
    assert [check.failures for check in validate(tmp_path).checks if not check.passed] == []
    captions = pl.read_parquet(sorted(tmp_path.glob("data/captions/folder/*.parquet")))
    assert len(captions) == CLIPS
    assert "audio" not in captions.columns


def test_small_shards_are_named_sorted_and_complete(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = _with(_request(table, tmp_path).pipeline, Shard(megabytes=1))
    for threads in (1, 3):
        monkeypatch.setattr("captionstew.pipeline.local.threads_here", partial(int, threads))
        _build(table, tmp_path / str(threads), pipeline=pipeline)
    assert _hashes(tmp_path / "1") == _hashes(tmp_path / "3")
    paths = sorted(tmp_path.glob("1/data/audio/folder/*.parquet"))
    assert [path.name for path in paths] == [
        f"train-{i:05}-of-{len(paths):05}.parquet" for i in range(len(paths))
    ]
    assert len(paths) > 1
    assert pl.read_parquet(paths)["clip_id"].is_sorted()
    assert len(pl.read_parquet(paths)) == CLIPS


_FULL = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
sys.path.insert(0, sys.argv[3])
from test_build import _build
from captionstew.errors import BuildError
try:
    _build(Path(sys.argv[1]), Path(sys.argv[2]))
except BuildError as error:
    print(error)
"""


@pytest.mark.parametrize("room", [1_000, 30_000, 700_000])
def test_a_full_disk_is_said_plainly_and_the_same_command_goes_on(
    table: Path, built: Path, tmp_path: Path, room: int
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", _FULL, str(table), str(out), str(Path(__file__).parent), str(room)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "no room to write" in said.stdout, said.stderr[-2000:]
    assert "the same command continues" in said.stdout
    assert not list(out.rglob("*.part"))
    _build(table, out)
    assert _hashes(out) == _hashes(built)


@pytest.mark.slow
def test_an_existing_cluster_of_two_nodes_makes_the_same_bytes(
    table: Path, built: Path, tmp_path: Path
) -> None:
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        command = [
            sys.executable,
            "-c",
            _ON_CLUSTER,
            str(table),
            str(tmp_path),
            str(Path(__file__).parent),
            cluster.address,
        ]
        subprocess.run(command, check=True, timeout=240)
    finally:
        cluster.shutdown()
    assert _hashes(tmp_path) == _hashes(built)


_ON_CLUSTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_build import _build
_build(Path(sys.argv[1]), Path(sys.argv[2]), cluster=sys.argv[4], unit_bytes=200_000)
"""


def test_a_cluster_that_is_not_there_is_an_error_that_says_so(table: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"no Ray cluster at 127\.0\.0\.1:1"):
        _build(table, tmp_path, cluster="127.0.0.1:1")
    with pytest.raises(BuildError, match="no address of a Ray cluster"):
        _build(table, tmp_path, cluster="somewhere")
