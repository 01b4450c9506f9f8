"""The audio of an export as one file for each clip, a folder for each output shard."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from captionstew.interchange.choose import Part
from captionstew.interchange.clips import Clip
from captionstew.interchange.names import file_on_disk
from captionstew.shards.atomic import disk_errors

FOLDER = "audio"
_NEW = ".new"  # of a folder that is not whole yet


class AudioFiles:
    """Writes files into a folder of another name; `add` returns the path that a file will have, from `out` on."""

    def __init__(self, temporary: Path, name: str) -> None:
        self._temporary, self._name, self._place = temporary, name, 0

    def add(self, clip: Clip) -> str:
        """The clip's audio is written."""
        name = file_on_disk(self._place, clip.id, clip.suffix)
        self._place += 1
        path = self._temporary / name
        with disk_errors(path), path.open("xb") as file:
            file.write(clip.audio)
        return f"{FOLDER}/{self._name}/{name}"


@contextmanager
def audio_files(out: Path, part: Part) -> Iterator[AudioFiles]:
    """A folder for the audio of one output shard, which appears under its name when the block ends well."""
    final = folder_of(out, part.name)
    temporary = final.with_name(f".{final.name}{_NEW}")
    remove(temporary)
    with disk_errors(temporary):
        temporary.mkdir(parents=True)
    yield AudioFiles(temporary, part.name)
    remove(final)
    with disk_errors(final):
        os.replace(temporary, final)


def folder_of(out: Path, name: str) -> Path:
    """Where the audio of the output shard of this name lies."""
    return out / FOLDER / name


def is_whole(out: Path, part: Part) -> bool:
    """Whether every clip of an output shard has its file; a power cut leaves files without their content."""
    folder = folder_of(out, part.name)
    return folder.is_dir() and sum(one.stat().st_size > 0 for one in os.scandir(folder)) == len(part.numbers)


def clear(out: Path, keep: Collection[str]) -> None:
    """Folders of other output shards than these are gone, and what killed writers left."""
    for folder in sorted(out.glob(f"{FOLDER}/*")):
        if folder.name not in keep:
            remove(folder)
    if (out / FOLDER).is_dir() and not keep:
        (out / FOLDER).rmdir()


def remove(folder: Path) -> None:
    """The folder is gone."""
    if folder.is_dir():
        shutil.rmtree(folder)
