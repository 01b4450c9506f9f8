"""The facts of a released corpus: ours, or for one that is not known here those that the release has."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path

from captionstew.attach.release import CaptionsRelease
from captionstew.corpora.facts import Corpus, corpus
from captionstew.errors import CorpusError
from captionstew.rooms import room

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def facts_of(release: CaptionsRelease, name: str) -> Corpus:
    """What is known of a corpus; CorpusError if neither this installation nor the release knows it.

    Of facts that come with a release only the names of its audio files count: nothing is fetched, read or made by
    what they say.
    """
    if (room("pipelines") / "corpora" / f"{name}.toml").is_file():
        return corpus(name)
    folder = _brought(release, name)
    return replace(corpus(name, folder), files=(), archives=(), mirrors=(), made_by="")


def _brought(release: CaptionsRelease, name: str) -> Path:
    """The folder with the facts of a corpus and of those that it is `like`, out of the release."""
    wanted, seen, folder = name, set[str](), Path()
    while wanted and wanted not in seen:
        seen.add(wanted)
        path = release.facts(wanted) if _NAME.fullmatch(wanted) else None
        if path is None:
            hint = "upgrade captionstew, or add its facts to pipelines/corpora"
            raise CorpusError(f"nothing is known of the corpus {wanted}", where=release.where, hint=hint)
        try:
            folder, wanted = path.parent, str(tomllib.loads(path.read_text(encoding="utf-8")).get("like", ""))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise CorpusError(f"{path.name} is not TOML", cause=str(error), where=str(path),
                              hint="get the release again") from error  # fmt: skip
    return folder
