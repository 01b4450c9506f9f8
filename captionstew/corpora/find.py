"""Where the annotation files of a corpus lie in the folders that the user gave."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from captionstew.corpora.facts import Corpus, File
from captionstew.errors import CorpusError


@dataclass(frozen=True)
class Found:
    """A file of the facts and what is there of it: one path, or several where its pattern has a `*`."""

    file: File
    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Shelf:
    """What was found of a corpus, and which of its files are missing."""

    corpus: Corpus
    places: tuple[Path, ...]
    files: tuple[Found, ...]
    missing: tuple[File, ...]

    def of(self, *roles: str) -> tuple[Found, ...]:
        """The files of these roles that were found."""
        return tuple(found for found in self.files if found.file.role in roles)

    def annotations(self) -> tuple[Found, ...]:
        """The files whose rows are clips; an optional one that is missing goes to its reader pathless."""
        absent = [Found(file, ()) for file in self.missing if file.role == "annotations" and file.optional]
        return (*self.of("annotations"), *absent)


def shelf(corpus: Corpus, places: Sequence[Path], splits: Sequence[str] | None = None) -> Shelf:
    """What lies in `places` of the files that `splits` need.

    One file per split: those that are there are read, the others are listed as missing. A file that every row
    needs, or all files of the wanted splits, missing: an error that says what to do.
    """
    wanted = [file for file in corpus.files if splits is None or split_of(corpus, file) in {None, *splits}]
    pairs = [Found(file, paths_of(file, places)) for file in wanted]
    named = {found.file.name for found in pairs if found.paths} - {""}
    pairs = [found for found in pairs if found.file.stands_in_for not in named]
    files = tuple(found for found in pairs if found.paths)
    stood_in = {found.file.stands_in_for for found in files} - {""}
    missing = tuple(found.file for found in pairs if not found.paths and found.file.name not in stood_in)
    _require(corpus, places, files, missing)
    return Shelf(corpus, tuple(places), files, missing)


def split_of(corpus: Corpus, file: File) -> str | None:
    """Our name for the split of a file; None where its rows say it themselves, or it serves all splits."""
    return corpus.splits.names.get(file.split, file.split) if file.split else None


def paths_of(file: File, places: Sequence[Path]) -> tuple[Path, ...]:
    """What is there of a file: the first pattern that hits, in the first place where it does."""
    for pattern in file.path:
        for place in places:
            if "*" in pattern:
                paths = tuple(path for path in sorted(place.glob(pattern)) if path.is_file())
            else:
                paths = (place / pattern,) if (place / pattern).is_file() else ()
            if paths:
                return paths
    return ()


def _require(
    corpus: Corpus, places: Sequence[Path], files: tuple[Found, ...], missing: tuple[File, ...]
) -> None:
    needed = [
        file for file in missing if not file.optional and file.role in {"annotations", "ids", "metadata"}
    ]
    has_rows = any(found.file.role == "annotations" for found in files)
    lacking = [file for file in needed if not (file.role == "annotations" and file.split and has_rows)]
    if not lacking:
        return
    raise missing_file(corpus, lacking[0], places)


def missing_file(corpus: Corpus, file: File, places: Sequence[Path]) -> CorpusError:
    """The error that a file is nowhere: where it was looked for, where to get it, how to say where it is."""
    return CorpusError(
        f"{corpus.name}: {' or '.join(file.path)} is missing",
        cause="the corpus cannot be read without it"
        if file.role != "blocklist"
        else "the block list is needed",
        where=", ".join(str(place) for place in places) or "no folder was given",
        hint=f"get it from {file.url or corpus.homepage} and give the folder: --audio {corpus.name}=DIR",
    )
