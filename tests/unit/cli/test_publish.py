"""publish says what it will do, asks once, and does nothing that it was not told."""

import io
import json
import os
import pty
import select
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from captionstew.cli.main import main

from ..publish.builds import caption, clip, make_build

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

NC = "CC-BY-NC-4.0"


class Terminal(io.StringIO):
    """Somebody who has typed an answer."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def build(tmp_path: Path) -> Path:
    rows = [clip(n, "fsd50k", ("CC0-1.0", NC)[n % 2]) for n in range(12)]
    rows += [clip(n, "audiocaps", "LicenseRef-YouTube", "test") for n in range(100, 103)]
    make_build(tmp_path / "build", rows)
    return tmp_path / "build"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["publish", *words])
    return code, *capsys.readouterr()


def test_the_plan_is_shown_and_one_question_asked(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = hub.fresh()
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    code, out, err = said(capsys, str(build), name)
    assert code == 1
    assert f"Publish this as {name}? [y/N]" in err
    for line in (
        "upload    4 new · 0 changed · 0 same",
        "captions  15 clips",
        "refuse    audio of 3 clips: audiocaps under LicenseRef-YouTube: ids and times; the audio is nobody's to give",
        "refuse    audio of 6 clips: fsd50k under CC-BY-NC-4.0: CC BY-NC, research-only; only behind a gate",
        "tag       v1.0.0  (the first release)",
        "Nothing was sent.",
    ):
        assert line in out
    assert not hub.asked("create", "commit")
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    code, out, _ = said(capsys, str(build), name)
    assert code == 0
    assert f"published {name} v1.0.0" in out
    assert f"captionstew validate hf://{name}@v1.0.0" in out.splitlines()[-1].replace(
        "captionstew.cli", "captionstew"
    )
    code, out, _ = said(capsys, str(build), name, "--yes")
    assert code == 0
    assert f"{name} v1.0.0 is this very release: 15 clips" in out
    assert "There is nothing to send." in out
    assert "Next: " in out.splitlines()[-1]
    assert len(hub.asked("commit")) == 1


def test_a_dry_run_needs_no_hub_and_says_that_it_had_none(
    build: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    code, out, err = said(capsys, str(build), "org/stew", "--dry-run", "--tier", "captions", "--json")
    assert code == 0
    assert "the Hub cannot be looked at" in err
    assert "planned as a first release" in err
    told = json.loads(out)
    assert (told["tag"], told["new"], told["sent"], told["tiers"]) == ("v1.0.0", 2, None, ["captions"])
    assert main(["validate", told["folder"]]) == 0
    assert main(["status", told["folder"]]) == 0
    code, _, err = said(capsys, told["folder"], "org/stew", "--dry-run")
    assert (code, "is a release, not a build" in err) == (2, True)
    assert not Path(told["folder"], "release").exists()
    code, _, err = said(capsys, str(build), "org/stew", "--yes")
    assert code == 1


@pytest.mark.parametrize(
    ("words", "code", "error", "hint"),
    [
        (("stew", "--yes"), 2, '"stew" is no name of a dataset', "ORG/NAME"),
        (("org/stew/x", "--yes"), 2, "is no name of a dataset", "ORG/NAME"),
        (("org/stew--x", "--yes"), 2, "is no name of a dataset", "single -"),
        (("org/stew.", "--yes"), 2, "is no name of a dataset", "ORG/NAME"),
        (("org/stew",), 2, "nobody is there to be asked", "--yes"),
        (("org/stew", "--yes", "--tag", "1.0"), 2, '"1.0" is no version', "v1.0.0"),
        (
            ("org/stew", "--yes", "--without", "fsd50"),
            2,
            "there is no fsd50 in this build",
            "did you mean `fsd50k`?",
        ),
        (("org/stew", "--yes", "--allow-model", "m"), 2, '"m" gives no reason', "--allow-model m="),
        (("org/stew", "--yes", "--remove", "none.csv"), 1, "the list of removals cannot be read", "clip_id"),
        (
            ("org/stew", "--yes", "--tiers", "audio"),
            2,
            "publish has no option --tiers",
            "did you mean `--tier`?",
        ),
    ],
)
def test_what_makes_no_sense_is_told_before_any_work(
    build: Path, words: tuple[str, ...], code: int, error: str, hint: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO())
    got, out, err = said(capsys, str(build), *words)
    assert (got, out) == (code, "")
    assert error in err
    assert hint in err
    assert not (build / "release").exists()


def test_an_unsettled_corpus_or_model_stops_it_with_the_remedy(
    tmp_path: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = clip(1, "fsd50k", "CC0-1.0")
    row["captions"].append(caption("made up", "llm", "somebody/secret@1"))
    make_build(tmp_path, [row, clip(2, "folder", "LicenseRef-unknown")])
    code, _, err = said(capsys, str(tmp_path), hub.fresh(), "--yes")
    assert code == 1
    assert "no clip of your own data has a license that we know" in err
    words = (str(tmp_path), hub.fresh(), "--dry-run", "--without", "folder")
    code, _, err = said(capsys, *words)
    assert code == 1
    assert "captions by somebody/secret may not be published as things stand" in err
    assert not list((tmp_path / "release").glob("files/*"))
    for more, captions in ((("--without", "llm"), 1), (("--allow-model", "somebody/secret=it is ours"), 2)):
        code, out, _ = said(capsys, *words, *more, "--json")
        assert code == 0
        assert json.loads(out)["totals"][0]["captions"] == captions


def test_captions_of_a_model_in_a_table_of_ones_own_need_its_license_too(
    tmp_path: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    row = clip(1, "folder", "CC0-1.0", captions=[caption("mine", "folder")])
    row["captions"].append(caption("made up", "folder", "somebody/secret"))
    make_build(tmp_path, [row])
    words = (str(tmp_path), hub.fresh(), "--dry-run", "--json")
    code, _, err = said(capsys, *words)
    assert code == 1
    assert "captions by somebody/secret may not be published as things stand" in err
    assert not list((tmp_path / "release").glob("files/*"))
    for more, texts in ((("--without", "llm"), ["mine"]),
                        (("--allow-model", "somebody/secret=it is ours"), ["mine", "made up"])):  # fmt: skip
        code, out, err = said(capsys, *words, *more)
        assert code == 0, err
        folder = Path(json.loads(out)["folder"])
        (path,) = folder.glob("data/captions/folder/*.parquet")
        published = pq.read_table(path)
        assert [one["text"] for one in published["captions"][0].as_py()] == texts
        assert published["tags"].to_pylist() == [["tone"]]  # the words of its owner stay


def test_ctrl_c_ends_the_question(build: Path, hub: "LoopbackHub", tmp_path: Path) -> None:
    """On a terminal of its own: libraries have signals go unheard while Python reads."""
    line = [sys.executable, "-m", "captionstew", "publish", str(build), hub.fresh()]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, line, hub.environment(tmp_path, xet=False))
    heard, asked = b"", False
    while True:
        ready, _, _ = select.select([terminal], [], [], 20)
        try:
            chunk = os.read(terminal, 65536) if ready else b""
        except OSError:  # it is over
            break
        if not chunk:
            os.kill(pid, signal.SIGKILL)
            break
        heard += chunk
        if not asked and b"[y/N]" in heard:
            asked = True
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130, heard.decode()
    assert b"stopped; what was made and sent is kept" in heard


def test_a_token_that_the_hub_does_not_know_is_told_before_any_work(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ofNobody")
    code, _, err = said(capsys, str(build), hub.fresh(), "--yes")
    assert code == 1
    assert "the Hub refused" in err
    assert "hint: hf auth login" in err
    assert "hf_ofNobody" not in err
    assert not list((build / "release").glob("files/*"))


def test_a_dry_run_does_not_wait_for_a_hub_that_fails(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    hub.fail("info", status=503, times=100)
    code, out, err = said(capsys, str(build), hub.fresh(), "--dry-run", "--json")
    assert code == 0
    assert "the Hub cannot be looked at" in err
    assert "503" in err
    assert len(hub.asked("info")) == 1
    assert json.loads(out)["tag"] == "v1.0.0"


def test_a_stopped_upload_goes_on(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    name = hub.fresh()
    hub.fail("commit", delay=2.0)
    over = threading.Event()

    def stop() -> None:
        while hub.faults.left() and not over.is_set():  # until the commit is on its way
            over.wait(0.01)
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watcher = threading.Thread(target=stop, daemon=True)
    watcher.start()
    code, _, err = said(capsys, str(build), name, "--yes", "--note", "a word")
    over.set()
    watcher.join()
    assert code == 130
    assert "stopped; what was made and sent is kept. To continue:" in err
    assert f"publish {build} {name} --note 'a word' --yes" in err
    hub.faults.clear()
    sent = len(hub.asked("lfs-put"))
    code, out, _ = said(capsys, str(build), name, "--yes", "--note", "a word", "--json")
    assert code == 0
    told: dict[str, Any] = json.loads(out)
    assert len(hub.asked("lfs-put")) == sent
    assert hub.repository(name).resolve("v1.0.0")
    assert told["tag"] == "v1.0.0"


def test_a_takedown_that_was_stopped_before_its_tag_is_not_forgotten(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    name = hub.fresh()
    assert main(["publish", str(build), name, "--yes"]) == 0
    (build.parent / "gone.csv").write_text("clip_id,reason,date\nfs:000001,asked,2026-01-01\n")
    hub.fail("tag", status=403)
    code, _, err = said(capsys, str(build), name, "--yes", "--remove", str(build.parent / "gone.csv"))
    assert code == 1, err
    assert not hub.faults.left()
    code, out, err = said(capsys, str(build), name, "--yes", "--json")  # without the list
    assert code == 0, err
    assert (json.loads(out)["tag"], json.loads(out)["changed"]) == ("v1.0.1", 0)
    content = hub.files(name, "v1.0.1")["data/captions/fsd50k/train-00000-of-00001.parquet"]
    assert "fs:000001" not in pq.read_table(io.BytesIO(content))["clip_id"].to_pylist()


def test_a_public_repository_is_not_called_private(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    name = hub.fresh()
    assert main(["publish", str(build), name, "--yes", "--private"]) == 0
    assert hub.repository(name).private
    other = hub.fresh()
    assert main(["publish", str(build), other, "--yes"]) == 0
    code, _, err = said(capsys, str(build), other, "--yes", "--private")
    assert code == 2
    assert f"{other} is there, and public" in err


def test_somebody_elses_commit_in_between_is_not_overwritten(
    build: Path, hub: "LoopbackHub", capsys: pytest.CaptureFixture[str]
) -> None:
    name = hub.fresh()
    assert main(["publish", str(build), name, "--yes"]) == 0
    (build.parent / "gone.csv").write_text("clip_id,reason,date\nfs:000001,asked,2026-01-01\n")
    hub.fail("commit", status=412)
    capsys.readouterr()
    code, _, err = said(capsys, str(build), name, "--yes", "--remove", str(build.parent / "gone.csv"))
    assert code == 1
    assert "hint: the same command looks at what is there now, and plans anew" in err
    assert (
        not hub.repository(name).resolve("main").tree.keys()
        - hub.repository(name).resolve("v1.0.0").tree.keys()
    )
