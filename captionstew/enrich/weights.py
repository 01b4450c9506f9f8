"""Models that lie on this machine: which weights they are, and what they are called elsewhere."""

import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

from captionstew.digest import digest, file_sha256
from captionstew.errors import BuildError
from captionstew.shards.atomic import write_bytes

WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")  # in the order in which they are wanted
_BESIDE = ("*.json", "*.jinja", "*.model", "*.txt")  # configuration, tokenizer, chat template
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LARGE = 1 << 26  # bytes; the hashes of such files are kept, others take less than a blink
_State = tuple[Path, int, int, int]  # file, bytes, when its content and its entry were changed (ns)


def called(model: str) -> str:
    """What a model is called in what is written: of a folder or file of this machine the last part of its path."""
    path = os.path.expanduser(model)
    if not model or not (model.startswith(("/", "~", ".")) or os.path.exists(path)):
        return model
    return os.path.basename(os.path.abspath(path)) or model


def revision_here(model: str, given: str = "") -> str:
    """The revision that was given, else of a model in a folder of this machine that of its files; else none."""
    folder = os.path.expanduser(model)
    return given or (revision_of(Path(folder).resolve()) if os.path.isdir(folder) else "")


def revision_of(path: Path) -> str:
    """The commit of a snapshot from the Hub, else a hash of the model's files."""
    if _COMMIT.fullmatch(path.name):
        return path.name
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if _is_model(p))
    return _hashed(path, tuple(_state(file) for file in files))


@cache
def _hashed(path: Path, states: tuple[_State, ...]) -> str:
    names = [state[0].relative_to(path).as_posix() if path.is_dir() else "" for state in states]
    return digest([(name, _sha256(state)) for name, state in zip(names, states, strict=True)])


def _sha256(state: _State) -> str:
    """The hash of a file; that of a large one is read once, and then known until the file changes."""
    file, size, *changed = state
    if size < _LARGE:
        return file_sha256(file)
    from captionstew.fetch.store import default_folder  # with pyarrow, which a help page need not wait for

    kept = default_folder() / "hashes" / digest(str(file), size, *changed)
    with suppress(OSError):
        return kept.read_text(encoding="ascii")
    sha256 = file_sha256(file)
    with suppress(BuildError):  # where nothing can be kept, the next run reads the file again
        write_bytes(kept, sha256.encode())
    return sha256


def _state(file: Path) -> _State:
    found = file.stat()
    return file, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _is_model(path: Path) -> bool:
    return path.is_file() and any(path.match(pattern) for pattern in (*_BESIDE, *WEIGHTS))
