"""Files of an export, hashed while they are written; they appear whole or not at all."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from captionstew.interchange.tar import Tar
from captionstew.shards.atomic import replacing
from captionstew.shards.hashed import HashedFile


@dataclass
class Made:
    """A file of an export; its hash is known when the block that wrote it has ended."""

    path: Path
    sha256: str = ""


@contextmanager
def lines(path: Path, made: list[Made]) -> Iterator[HashedFile]:
    """A new file to write lines to; it joins `made`."""
    with replacing(path) as temporary:
        with HashedFile(temporary, path) as file:
            yield file
        made.append(Made(path, file.sha256()))


@contextmanager
def gzipped(path: Path, made: list[Made]) -> Iterator[gzip.GzipFile]:
    """The same, compressed; without a name and a time in its header."""
    with lines(path, made) as file, gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
        yield packed


@contextmanager
def archive(path: Path, made: list[Made]) -> Iterator[Tar]:
    """A new tar."""
    with lines(path, made) as file:
        tar = Tar(file.write)
        yield tar
        tar.end()
