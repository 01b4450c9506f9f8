"""Where the audio of imported cuts lies here, and what its files are called below those folders."""

import os
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

import polars as pl

from captionstew.errors import CorpusError
from captionstew.interchange.cuts import Unfit
from captionstew.shards.atomic import disk_errors

LINKS = "audio"  # folder of links, where files lie below several roots


@dataclass(frozen=True)
class Places:
    """Folders to look for audio in, and the name below them of each file, as an expression of its whole `path`."""

    folders: tuple[Path, ...]
    file: pl.Expr


def places(paths: pl.LazyFrame, folder: Path, audio_root: Path | None) -> Places:
    """The places of all files in the column `path`, below folders in `above`; CorpusError if those are not here.

    With an `audio_root` nothing outside it is opened: a path that begins elsewhere, as on the machine where the
    manifest was made, is looked for below it by its end. Without, files may lie anywhere; if nothing but the root of
    the disk holds them all, `folder` gets links to folders that do.
    """
    if audio_root is not None:
        root = Path(os.path.abspath(audio_root))
        _check([root])
        return Places((root,), pl.col("path").str.strip_prefix(f"{root}/").str.strip_chars_start("/"))
    found = paths.select(pl.col("above").unique()).collect(engine="streaming")
    above = _above(found.to_series().to_list())
    _check(above.values())
    if len(above) == 1:
        root = next(iter(above.values()))
        return Places((root,), pl.col("path").str.strip_prefix(f"{root}/"))
    _link(folder / LINKS, above)
    name = pl.lit(None, dtype=pl.String)
    for link, root in above.items():
        below = pl.col("path").str.starts_with(f"{root}/")
        name = (
            pl.when(below)
            .then(pl.format("{}/{}", pl.lit(f"{LINKS}/{link}"), pl.col("path").str.strip_prefix(f"{root}/")))
            .otherwise(name)
        )
    return Places((), name)


@cache
def packed_suffix(manifest: Path) -> str:
    """The suffix of the sounds in the tar that Lhotse Shar puts beside a manifest; Unfit if there is none.

    `cuts.000000.jsonl.gz` has `recording.000000.tar`.
    """
    number = manifest.name.removesuffix(".gz").removesuffix(".jsonl").removeprefix("cuts")
    path = manifest.with_name(f"recording{number}.tar")
    try:
        with tarfile.open(path, "r:") as archive:
            first = archive.next()
    except (OSError, tarfile.TarError) as error:
        raise Unfit("source", f"{path.name} beside the manifest: {error}") from None
    return PurePosixPath(first.name).suffix if first is not None else ""


def _above(folders: list[str]) -> Mapping[str, Path]:
    """The folders that hold these: one for all, or else one for each of those that the disk's root has."""
    common = os.path.commonpath(folders)
    if common != "/":
        return {"": Path(common)}
    tops: dict[str, list[str]] = {}
    for folder in folders:
        tops.setdefault(folder.split("/")[1], []).append(folder)
    return {top: Path(os.path.commonpath(several)) for top, several in sorted(tops.items())}


def _check(roots: Iterable[Path]) -> None:
    for root in roots:
        if not root.is_dir() or root == Path("/"):
            cause = f"the manifests name files below {root}"
            hint = "say where they lie here: --audio-root DIR"
            raise CorpusError("the audio is not there", cause=cause, where=str(root), hint=hint)


def _link(links: Path, above: Mapping[str, Path]) -> None:
    with disk_errors(links / "x"):
        links.mkdir(parents=True, exist_ok=True)
        for path in links.iterdir():
            path.unlink()
        for name, root in above.items():
            (links / name).symlink_to(root, target_is_directory=True)
