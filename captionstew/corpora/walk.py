"""The audio files below a folder, in one fixed order."""

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".mp4", ".aac", ".aif", ".aiff"}
)


def audio_files(folder: Path) -> Iterator[str]:
    """Paths relative to `folder`, with `/`, sorted within each folder; hidden ones are left out."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield (Path(root) / name).relative_to(folder).as_posix()
