"""Sub-folders that appear whole or not at all, and tell which version made them."""

import os
import shutil
from pathlib import Path

from captionstew.corpora.sampler import CORPORA, MARKER, VERSION
from captionstew.corpora.sampler.layout import write
from captionstew.errors import CorpusError
from captionstew.shards.atomic import disk_errors

_NOTE = "Made by captionstew.corpora.sampler, version {}. It may be deleted and is made again when needed.\n"


def finish(folder: Path, corpus: str) -> None:
    """The sub-folder of that corpus is there and complete."""
    if corpus not in CORPORA:
        raise CorpusError(f"the sampler has no corpus `{corpus}`", hint=f"one of: {', '.join(CORPORA)}")
    target, partial, outdated = folder / corpus, folder / f".{corpus}.part", folder / f".{corpus}.old"
    if _is_finished(target):
        return
    with disk_errors(target):
        for left_over in (partial, outdated):  # by an interrupted call
            shutil.rmtree(left_over, ignore_errors=True)
        partial.mkdir(parents=True)
        write(corpus, partial)
        (partial / MARKER).write_text(_NOTE.format(VERSION), encoding="utf-8")
        if target.exists():  # moved before it is deleted: half of it would pass for somebody's folder
            os.replace(target, outdated)
        os.replace(partial, target)
        shutil.rmtree(outdated, ignore_errors=True)


def _is_finished(target: Path) -> bool:
    """Whether this version made it; a folder that no version made is nothing to be overwritten."""
    if not target.exists():
        return False
    marker = target / MARKER
    if not marker.is_file():
        hint = "move it away or choose another folder for the sampler"
        raise CorpusError(f"{target.name} was not made by the sampler", where=str(target), hint=hint)
    return marker.read_text(encoding="utf-8") == _NOTE.format(VERSION)
