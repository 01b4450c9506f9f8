"""Servers are started, watched, started again and stopped; what cannot go well is said before they are."""

import json
import os
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from captionstew.cli import serve
from captionstew.cli.serve import groups_of
from captionstew.enrich.endpoint import Endpoint
from captionstew.enrich.engine import Ask, Message
from captionstew.enrich.environment import gpus, own, template, vllm_python
from captionstew.enrich.process import Process
from captionstew.enrich.serving import Serving
from captionstew.enrich.supervise import State, Supervisor, Watch
from captionstew.enrich.weights import revision_of
from captionstew.errors import EngineError, UsageError

QUICK = Watch(look=0.05, loading=10, deaf=0.5, starts=3, steady=60, first_wait=0.05, longest_wait=0.1)


@contextmanager
def kept(process: Process, watch: Watch = QUICK) -> Iterator[tuple[Supervisor, list[str]]]:
    """The server under a supervisor, and what it tells."""
    told: list[str] = []
    with Supervisor([process], told.append, watch) as supervisor:
        yield supervisor, told


def until(true: Callable[[], bool], seconds: float = 10) -> None:
    """Wait for it."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


def group(pid: int) -> list[psutil.Process]:
    """The processes of a server that are alive."""
    members = []
    for one in psutil.process_iter():
        try:
            if os.getpgid(one.pid) == pid and one.status() != psutil.STATUS_ZOMBIE:
                members.append(one)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return members


def test_a_started_server_answers_and_nothing_of_it_is_left_at_the_end(
    served: Path, model: Path, tmp_path: Path
) -> None:
    process = Process(Serving(str(model), served), tmp_path / "log")
    with kept(process) as (supervisor, _):
        supervisor.ready(10)
        engine = Endpoint(supervisor.urls, str(model))
        (answer,) = engine.answers([Ask("a", (Message("user", "rain"),))])
        assert answer.text == "heard rain"
        assert process._running is not None
        pid = process._running.pid
        assert len(group(pid)) == 2
    until(lambda: not group(pid))


def test_a_server_that_dies_is_started_again_at_the_same_address(
    served: Path, model: Path, tmp_path: Path
) -> None:
    process = Process(Serving(str(model), served), tmp_path / "log")
    with kept(process) as (supervisor, told):
        supervisor.ready(10)
        urls = supervisor.urls
        (model / "mood").write_text("die", encoding="utf-8")
        until(lambda: any("ended with code 3 and is started again" in line for line in told))
        until(lambda: sum("is up" in line for line in told) == 2)
        assert supervisor.urls == urls


def test_a_server_that_does_not_answer_is_started_again(
    served: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("captionstew.enrich.process._PATIENCE", 0.2)
    process = Process(Serving(str(model), served), tmp_path / "log")
    with kept(process) as (supervisor, told):
        supervisor.ready(10)
        (model / "mood").write_text("deaf", encoding="utf-8")
        until(lambda: any("did not answer" in line for line in told))
        (model / "mood").unlink()
        until(lambda: sum("is up" in line for line in told) == 2)


def test_a_server_that_never_lives_is_given_up_with_its_last_words(
    served: Path, model: Path, tmp_path: Path
) -> None:
    (model / "mood").write_text("dead", encoding="utf-8")
    with kept(Process(Serving(str(model), served), tmp_path / "log")) as (supervisor, told):
        with pytest.raises(EngineError) as caught:
            supervisor.ready(10)
        assert "no such model" in str(caught.value)
        assert supervisor.states == (State.GIVEN_UP,)
        assert [line.split(":")[0] for line in told][-1].endswith("given up after 3 starts")


def test_killing_the_supervisors_process_ends_its_servers(served: Path, model: Path, tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from captionstew.enrich.process import Process; from captionstew.enrich.serving import Serving\n"
        "one = Process(Serving(sys.argv[1], Path(sys.argv[2])), Path(sys.argv[3])); one.start()\n"
        "print(one._running.pid, flush=True); time.sleep(600)\n"
    )
    words = [sys.executable, "-c", script, str(model), str(served), str(tmp_path / "log")]
    owner = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert owner.stdout is not None
    server = int(owner.stdout.readline())
    until(lambda: len(group(server)) == 2)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    until(lambda: not group(server))


def test_serve_writes_its_addresses_and_sigterm_stops_it_well(
    served: Path, model: Path, tmp_path: Path
) -> None:
    words = [
        "import sys; from captionstew.cli import serve; from captionstew.cli.console import Console\n"
        "import argparse, signal; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "parser = argparse.ArgumentParser(); serve.options(parser)\n"
        "sys.exit(serve.run(parser.parse_args(), Console()))\n",
        str(model), "--python", str(served), "--out", str(tmp_path / "out"), "--gpus-per-server", "0",
        "--servers", "2", "--port", "18765", "--revision", "abc",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    file = tmp_path / "out" / "endpoints.json"
    until(file.is_file, 20)
    facts = json.loads(file.read_text(encoding="utf-8"))
    urls = [f"http://127.0.0.1:{port}/v1" for port in (18765, 18766)]
    assert facts == {"model": str(model), "revision": "abc", "urls": urls}
    assert len(list(Endpoint.of(file).answers([Ask("a", (Message("user", "rain"),))]))) == 1
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20)[0].split()[:2] == urls
    assert process.returncode == 0
    assert not file.exists()


def test_a_model_in_a_folder_is_served_under_the_hash_of_its_files(served: Path, model: Path) -> None:
    parser = ArgumentParser()
    serve.options(parser)
    words = [str(model), "--python", str(served), "--gpus-per-server", "0"]
    (model / "config.json").write_text("{}")
    found = serve._serving(parser.parse_args(words))
    assert found.revision == revision_of(model)
    assert "--revision" not in found.command(8000), "vLLM would look for it on the Hub"
    (model / "config.json").write_text('{"other": 1}')
    assert serve._serving(parser.parse_args(words)).revision != found.revision


def test_the_command_line_pins_model_revision_template_and_sampling(tmp_path: Path) -> None:
    serving = Serving("lmsys/vicuna-7b-v1.5", Path("/v/python"), "abc", 2, Path("/t.jinja"), 2048)
    words = " ".join(serving.command(8001))
    for part in ("--revision abc --tokenizer-revision abc", "--tensor-parallel-size 2", "--port 8001",
                 "--chat-template /t.jinja", "--max-model-len 2048", "--enable-prefix-caching",
                 "--generation-config vllm", "--host 127.0.0.1"):  # fmt: skip
        assert part in words
    assert "chunked" not in words
    assert serving.environment(("2", "3"))["CUDA_VISIBLE_DEVICES"] == "2,3"
    on_cpu = Serving(str(tmp_path), Path("/v/python"))
    assert "--enforce-eager --no-enable-chunked-prefill --max-num-batched-tokens 8192" in " ".join(
        on_cpu.command(1)
    )
    assert on_cpu.environment(None)["HF_HUB_OFFLINE"] == "1"


def test_a_key_is_handed_on_by_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTIONSTEW_API_KEY", "s3cret")
    monkeypatch.setenv("PYTHONPATH", "/ours")
    serving = Serving("m", Path("/v/python"))
    assert serving.environment(None)["VLLM_API_KEY"] == "s3cret"
    assert "s3cret" not in " ".join(serving.command(1)) + repr(serving)
    assert "PYTHONPATH" not in own()


def test_without_an_environment_for_vllm_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CAPTIONSTEW_VLLM_PYTHON", raising=False)
    with pytest.raises(EngineError, match="make enrich-env"):
        vllm_python()
    monkeypatch.setenv("CAPTIONSTEW_VLLM_PYTHON", sys.executable)
    assert vllm_python() == Path(sys.executable)


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    from captionstew.enrich.process import free_port

    port = free_port("127.0.0.1")
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(EngineError, match="--port"):
            free_port("127.0.0.1", port)


def test_gpus_are_shared_out_and_too_few_are_said() -> None:
    assert gpus({"CUDA_VISIBLE_DEVICES": "4,5, 6"}) == ("4", "5", "6")
    assert gpus({"CUDA_VISIBLE_DEVICES": ""}) == ()
    assert groups_of("01234567", 2, None) == [("0", "1"), ("2", "3"), ("4", "5"), ("6", "7")]
    assert groups_of("012", 2, None) == [("0", "1")]
    assert groups_of((), 0, 3) == [(), (), ()]
    for found, per_server, servers in (((), 1, None), ("01", 2, 2), ("0", 2, None)):
        with pytest.raises(UsageError):
            groups_of(found, per_server, servers)


def test_only_vicuna_gets_our_template() -> None:
    assert template("lmsys/vicuna-13b-v1.5-16k") == template("/models/vicuna-7b-v1.5/")
    assert template("lmsys/vicuna-7b-v1.5") is not None
    assert template("Qwen/Qwen2.5-7B-Instruct") is None
