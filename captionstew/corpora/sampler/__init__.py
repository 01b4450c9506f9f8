"""The embedded sampler: some 240 clips made by arithmetic, with captions that are true, in native layouts.

Tones, rhythms, noises, moving sources and voice-like babble, as AudioCaps, Clotho and WavCaps would hold
them, so that the readers of the real corpora run without a network. Sounds are only ever said to be *like*
what they imitate. Some clips are flawed on purpose: see `flaws`. All of it is our own work, dedicated to the
public (CC0 1.0).
"""

from pathlib import Path

__all__ = ["CORPORA", "VERSION", "make"]

CORPORA = ("sampler-audiocaps", "sampler-clotho", "sampler-wavcaps")
VERSION = 1  # a folder made by another version is made again
MARKER = "SAMPLER.txt"


def make(folder: Path, corpus: str | None = None) -> None:
    """`folder` holds the named corpus of the sampler, or all three, each in a sub-folder of its name.

    A sub-folder appears whole or not at all. One that this version finished before is left as it is.
    """
    from captionstew.corpora.sampler.folders import finish

    for name in CORPORA if corpus is None else (corpus,):
        finish(folder, name)
