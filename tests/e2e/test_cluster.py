"""Builds on a Ray cluster that loses workers, nodes, its driver: the bytes are those of a quiet run in one process."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from captionstew.corpora.readers.folder import own
from captionstew.errors import BuildError
from captionstew.pipeline.build import Build
from captionstew.pipeline.cluster import Cluster
from captionstew.pipeline.pipeline import Pipeline
from captionstew.pipeline.progress import Event, Watch, unwatched
from captionstew.pipeline.request import Request
from captionstew.pipeline.sound import Sound
from captionstew.pipeline.stage import ClipStage
from captionstew.recipe import recipe
from captionstew.shards.validate import validate
from captionstew.stages.shard import Shard

CLIPS = 60
_HERE = Path(__file__).parent
_TRACE = "CAPTIONSTEW_TEST_TRACE"  # a folder; where it is set, a clip takes its time and leaves a trace
_PAUSE = 0.25  # s
_STORE = 80 << 20  # bytes of an object store, about the least that Ray allows


@dataclass(frozen=True)
class Linger(ClipStage):
    """Nothing about the clip; where it is traced, a file `<node>-<process>-<clip>` lies there meanwhile."""

    def __call__(self, sound: Sound) -> None:
        """Wait a little, in a worker of the cluster."""
        if folder := os.environ.get(_TRACE):
            import ray

            node = ray.get_runtime_context().get_node_id()
            trace = Path(folder) / f"{node}-{os.getpid()}-{Path(sound.source.path).stem}"
            trace.touch()
            time.sleep(_PAUSE)
            trace.unlink()


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of clips in two formats."""
    folder = tmp_path_factory.mktemp("own")
    rows = []
    for i in range(CLIPS):
        samples = 0.1 * np.random.default_rng(i).standard_normal(16_000 + 400 * i)
        name = f"clip-{i:02}.{'wav' if i % 2 else 'flac'}"
        soundfile.write(folder / name, samples.astype(np.float32), 16_000)
        rows.append({"audio": name, "caption": f"sound number {i}"})
    path = folder / "table.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def build(table: Path, out: Path, cluster: str = "none", watch: Watch = unwatched) -> None:
    """Some thirty units and a dozen shards."""
    corpus, places = own(table)
    pipeline = _lingering(recipe("folder"))
    request = Request(
        pipeline, out, (corpus,), {"folder": tuple(places)}, cluster=cluster, unit_bytes=100_000
    )
    Build(request, watch).run()


def _lingering(pipeline: Pipeline) -> Pipeline:
    stages = [Shard(megabytes=1) if stage.name == "shard" else stage for stage in pipeline.stages]
    place = next(i for i, stage in enumerate(stages) if stage.name == "encode")
    return pipeline.with_stages([*stages[:place], Linger(), *stages[place:]])


def _contents(out: Path) -> dict[str, bytes]:
    kept = [path for part in ("data", "index", "drops") for path in (out / part).rglob("*") if path.is_file()]
    kept += [out / "manifest.json", out / "SHA256SUMS"]
    return {str(path.relative_to(out)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def quiet(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("quiet")
    build(table, out)
    return _contents(out)


class Nodes:
    """A head without cores for the driver, nodes with one core each, and the trace of what they work on."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace
        made = pytest.importorskip("ray.cluster_utils").Cluster
        self.cluster = made(initialize_head=True, head_node_args={"num_cpus": 0, **_node()})
        self.nodes: list[Any] = []

    def there(self, count: int) -> "Nodes":
        """With so many nodes beside the head."""
        while len(self.nodes) < count:
            self.nodes.append(self.cluster.add_node(num_cpus=1, **_node()))
        return self

    def kill_worker(self) -> str:
        """Kill a worker in the middle of a clip, and tell which; its trace stays."""
        worker = self._one()
        os.kill(int(worker.split("-")[1]), signal.SIGKILL)
        return worker

    def remove_node(self) -> str:
        """Take away a node in the middle of a clip, its worker with it, and tell which; the trace stays."""
        worker = self._one()
        os.kill(int(worker.split("-")[1]), signal.SIGSTOP)
        node = next(node for node in self.nodes if worker.startswith(node.node_id))
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        os.kill(int(worker.split("-")[1]), signal.SIGKILL)
        return worker

    def busy(self) -> set[str]:
        """Workers, as `<node>-<process>`, that have begun a clip and not ended it."""
        return {trace.name.rpartition("-clip")[0] for trace in self.trace.iterdir()}

    def _one(self) -> str:
        """A worker that has only just begun a clip."""
        before = set(self.trace.iterdir())
        trace = _wait(lambda: next((trace for trace in self.trace.iterdir() if trace not in before), None))
        return str(trace.name.rpartition("-clip")[0])

    def drive(self, table: Path, out: Path) -> "subprocess.Popen[str]":
        """Start a build on the cluster, in a process of its own."""
        address = self.cluster.address
        command = [sys.executable, "-c", _DRIVER, str(table), str(out), str(_HERE), address]
        return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, start_new_session=True)


def _node() -> dict[str, int]:
    """Ports chosen beforehand: a node waits only 30 s for its helpers to tell theirs, too short on a busy machine."""
    names = (
        "metrics_agent_port",
        "metrics_export_port",
        "dashboard_agent_listen_port",
        "runtime_env_agent_port",
    )
    with contextlib.ExitStack() as stack:
        free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in names]
        ports = [server.getsockname()[1] for server in free]
    return {"object_store_memory": _STORE, **dict(zip(names, ports, strict=True))}


_DRIVER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from test_cluster import build
build(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4])
"""


@pytest.fixture(scope="module")
def nodes(quiet: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    trace = tmp_path_factory.mktemp("trace")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(_TRACE, str(trace))  # workers have the environment that their node was started in
        patch.setenv("PYTHONPATH", str(_HERE), prepend=os.pathsep)
        nodes = Nodes(trace)
        yield nodes
        nodes.cluster.shutdown()


def _wait(look: Callable[[], Any], seconds: float = 120) -> Any:
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.01)
    return found


def _units(out: Path) -> int:
    """Audio units that are finished."""
    ledger = out / "ledger.jsonl"
    return (
        sum('"stage": "probe..' in line for line in ledger.read_text().splitlines()) if ledger.exists() else 0
    )


def _ended(process: "subprocess.Popen[str]") -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said[-3000:]


@pytest.mark.slow
def test_a_killed_worker_and_a_lost_node_change_nothing(
    table: Path, quiet: dict[str, bytes], tmp_path: Path, nodes: Nodes
) -> None:
    out = tmp_path / "out"
    driver = nodes.there(2).drive(table, out)
    _wait(lambda: _units(out) >= 2 or driver.poll() is not None)
    killed = nodes.kill_worker()
    _wait(lambda: _units(out) >= 6 or driver.poll() is not None)
    lost = nodes.remove_node()
    _ended(driver)
    assert {killed, lost} <= nodes.busy(), "they were hit in the middle of their work"
    assert not list(out.rglob(".*.part"))
    assert _contents(out) == quiet
    assert validate(out).passed


@pytest.mark.slow
def test_a_build_whose_driver_dies_goes_on_in_the_next(
    table: Path, quiet: dict[str, bytes], tmp_path: Path, nodes: Nodes
) -> None:
    out = tmp_path / "out"
    driver = nodes.there(1).drive(table, out)
    _wait(lambda: _units(out) >= 5 or driver.poll() is not None)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()
    done = _units(out)
    again = nodes.drive(table, out)
    _ended(again)
    assert _units(out) > done >= 5
    assert len(
        {line for line in (out / "ledger.jsonl").read_text().splitlines() if "probe.." in line}
    ) == _units(out)
    assert _contents(out) == quiet


def _stuck_once(task: tuple[str, int]) -> int:
    """The number, but whoever comes to number 3 first does not come back."""
    trace, number = Path(task[0]), task[1]
    if number == 3:
        try:
            (trace / "stuck").touch(exist_ok=False)
            time.sleep(3600)
        except FileExistsError:
            pass
    time.sleep(0.1)
    return number


@pytest.mark.slow
def test_a_task_that_is_stuck_is_done_by_another(tmp_path: Path) -> None:
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, object_store_memory=_STORE, log_to_driver=False)
    try:
        cluster = Cluster(patience=1.0)
        tasks = [(str(tmp_path), number) for number in range(6)]
        assert sorted(cluster.run(_stuck_once, tasks, sizes=range(6))) == [(i, i) for i in range(6)]
    finally:
        ray.shutdown()


def test_a_node_that_does_not_see_the_audio_is_named(table: Path, tmp_path: Path) -> None:
    own_table = _copy(table, tmp_path / "audio")

    def unmount(event: Event) -> None:
        if event.stage == "locate" and event.done:
            own_table.parent.rename(tmp_path / "elsewhere")

    with pytest.raises(BuildError, match="does not see the audio of folder") as error:
        build(own_table, tmp_path / "out", watch=unmount)
    assert socket.gethostname() in error.value.message
    assert error.value.where == str(own_table.parent)
    (tmp_path / "elsewhere").rename(own_table.parent)
    build(own_table, tmp_path / "out")
    assert validate(tmp_path / "out").passed


def test_a_node_where_the_folder_of_the_audio_is_empty_is_named(table: Path, tmp_path: Path) -> None:
    own_table = _copy(table, tmp_path / "audio")

    def unmount(event: Event) -> None:
        if event.stage == "locate" and event.done:
            own_table.parent.rename(tmp_path / "elsewhere")
            own_table.parent.mkdir()

    with pytest.raises(BuildError, match=r"sees none of \d+ audio files of folder"):
        build(own_table, tmp_path / "out", watch=unmount)


def _copy(table: Path, folder: Path) -> Path:
    folder.mkdir()
    for path in table.parent.iterdir():
        (folder / path.name).hardlink_to(path)
    return folder / table.name
