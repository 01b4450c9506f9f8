"""A whole release: data, documents, manifest and checksums; and the folder that looks just like its repository."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from captionstew.corpora.facts import Corpus, corpus
from captionstew.enrich.items import GENERATED
from captionstew.publish.contents import Release
from captionstew.publish.tally import STAGE
from captionstew.shards.atomic import disk_errors
from captionstew.shards.layout import MANIFEST, SUMS
from captionstew.shards.manifest import Manifest, sums

Documents = Callable[[Release], Mapping[str, bytes]]
_NO_LINKS = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP}


@dataclass(frozen=True)
class Repository:
    """All files of a repository: the data of the release, and documents by path, manifest and checksums among them."""

    release: Release
    documents: Mapping[str, bytes]

    @property
    def paths(self) -> set[str]:
        """Where its files stand."""
        return {*self.documents, *(file.path for file in self.release.files)}


def facts(manifest: Manifest, without: Iterable[str] = ()) -> dict[str, Corpus]:
    """The facts of every corpus whose rows or captions are in a build, but for some; CorpusError if one has none."""
    named = {total.corpus for total in manifest.totals}
    named |= {account.corpus for account in manifest.accounting if account.stage.endswith(".captions")}
    return {name: corpus(name) for name in sorted(named - {GENERATED, *without})}


def present(manifest: Manifest, corpora: Mapping[str, Corpus]) -> tuple[Corpus, ...]:
    """The corpora that a release holds rows or captions of, in the order of the build."""
    held = {total.corpus for total in manifest.totals}
    held |= {one.corpus for one in manifest.accounting if one.stage == f"{STAGE}.captions" and one.kept}
    order = dict.fromkeys((*(account.corpus for account in manifest.accounting), *corpora))
    return tuple(corpora[name] for name in order if name in corpora and name in held)


def assembled(release: Release, documents: Documents) -> Repository:
    """The release with its documents; `SHA256SUMS` covers every other file."""
    texts = dict(documents(release))
    assert not {MANIFEST, SUMS} & set(texts), sorted(texts)
    encoded = release.manifest.encode()
    others = {path: hashlib.sha256(text).hexdigest() for path, text in texts.items()}
    in_manifest = {file.path for file in release.manifest.files}
    others |= {file.path: file.sha256 for file in release.files if file.path not in in_manifest}
    lines = sums(release.manifest, hashlib.sha256(encoded).hexdigest(), others)
    return Repository(release, {**texts, MANIFEST: encoded, SUMS: lines.encode()})


def write_folder(repository: Repository, folder: Path) -> None:
    """The folder holds the repository and nothing else; data is linked to where it lies, or copied if it must be."""
    with disk_errors(folder, option=""):
        shutil.rmtree(folder, ignore_errors=True)
        for file in repository.release.files:
            path = folder / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            _link(file.source, path)
        for name, text in repository.documents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)


def _link(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copyfile(source, path)
