"""A power cut in the middle of an export."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from captionstew.interchange.export import export
from captionstew.interchange.form import Form
from captionstew.interchange.jsonl import Jsonl
from captionstew.interchange.lhotse import Lhotse
from captionstew.interchange.webdataset import WebDataset

from .test_export import bytes_of

_DYING = """
import os, signal, sys
from pathlib import Path
from captionstew.interchange.export import export
from captionstew.interchange.{module} import {form}

class Dying({form}):
    def clips(self, part):
        for place, clip in enumerate(super().clips(part)):
            if part.name == "tones-train-000001" and place == 11:
                os.kill(os.getpid(), signal.SIGKILL)
            yield clip

export({build!r}, Path({out!r}), Dying({audio!r}), shard_clips=25)
"""


@pytest.mark.parametrize(
    "form", [Lhotse("tar"), WebDataset("tar"), Jsonl("files")], ids=lambda form: form.name
)
def test_a_killed_export_goes_on_to_the_same_bytes(form: Form, build: Path, tmp_path: Path) -> None:
    facts = {"module": form.name, "form": type(form).__name__, "audio": form.audio}
    script = _DYING.format(build=str(build), out=str(tmp_path / "killed"), **facts)
    died = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    left = bytes_of(tmp_path / "killed")
    assert any(".part" in name for name in left)
    assert export(build, tmp_path / "killed", form, shard_clips=25).done == 2
    export(build, tmp_path / "whole", form, shard_clips=25)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")
