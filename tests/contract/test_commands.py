"""Every command says what it lacks: none needs more packages than its own work does, to begin with."""

import subprocess
import sys

import pytest

from captionstew.cli.commands import COMMANDS
from captionstew.cli.parser import Command

_HEAVY = {
    "PIL", "aiohttp", "av", "datasets", "hf_xet", "lhotse", "librosa", "matplotlib", "ray", "safetensors",
    "tensorboard", "tokenizers", "torch", "transformers", "vllm", "webdataset", "yt_dlp",
}  # fmt: skip
_OF_BUILDS = {
    "gdown", "httpx2", "huggingface_hub", "py7zr", "pyflac", "scipy", "soxr", "threadpoolctl", "yaml",
}  # fmt: skip
_CORE = {"doctor", "corpora", "recipes", "inspect", "status", "validate", "export", "report", "train"}
_WITHOUT = """
import importlib, sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else self.finder.find_spec(name, path, target)
absent = set(sys.argv[1].split(","))
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
for name in [name for name in sys.modules if name.partition(".")[0] in absent]:
    del sys.modules[name]
"""
_IMPORT = _WITHOUT + "importlib.import_module('captionstew.cli.' + sys.argv[2])"
_MAIN = _WITHOUT + "from captionstew.cli.main import main; sys.exit(main(sys.argv[2:]))"


def _python(code: str, absent: set[str], *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-c", code, ",".join(sorted(absent)), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_begins_without_what_only_other_commands_need(command: Command) -> None:
    name, module = command.name, command.module
    done = _python(_IMPORT, _HEAVY | (_OF_BUILDS if name in _CORE else set()), module)
    assert done.returncode == 0, done.stderr


def test_doctor_tells_what_is_not_installed() -> None:
    done = _python(_MAIN, _HEAVY, "doctor")
    assert done.returncode in (0, 1), done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize(
    ("words", "extra"),
    [(("train", "contrastive_small", "--data", "."), "train"), (("plan", "sampler"), "build")],
)
def test_what_is_lacking_is_told_with_the_extra_that_brings_it(words: tuple[str, ...], extra: str) -> None:
    done = _python(_MAIN, _HEAVY | _OF_BUILDS, *words)
    assert done.returncode == 1, done.stderr
    assert f"captionstew[{extra}]" in done.stderr
    assert "Traceback" not in done.stderr
