"""doctor: one line per ability, tried out where that is quick, with the exact fix for what is missing."""

import io
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from captionstew import __version__
from captionstew.cli.console import CROSS, DOT, LOOK, TICK, Console
from captionstew.cli.machine import cores, free_disk, memory
from captionstew.cli.parser import Arguments
from captionstew.cli.table import Column
from captionstew.cli.train import TRAINING, missing_packages
from captionstew.errors import StewError
from captionstew.figures import size

_TRIED = {"wav": ("WAV", "PCM_16"), "flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS"),
          "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III")}  # fmt: skip
_BUILD = "pip install 'captionstew[build]'"
_LITTLE_DISK, _LITTLE_MEMORY = 20e9, 4e9  # bytes: a first real build fits in these


@dataclass(frozen=True)
class Ability:
    """What can be done here (a tick), should be looked at, or is missing, and how to mend it."""

    sign: str
    name: str
    found: str
    fix: str = ""


def run(_arguments: Arguments, console: Console) -> int:
    """All abilities; 1 if something that every build needs is missing."""
    abilities = [check() for check in _CHECKS]
    counts = {sign: sum(one.sign == sign for one in abilities) for sign in (TICK, LOOK, CROSS)}
    python, system = platform.python_version(), platform.system()
    machine = {"cores": cores(), "memory": memory(), "disk": free_disk(Path("build")), "python": python}
    console.data({"captionstew": __version__, **machine, "abilities": [_plain(one) for one in abilities]})
    console.say(DOT.join([f"CaptionStew {__version__}", f"Python {python}", system]))
    console.say()
    columns = (Column(""), Column(""), Column("", least=30), Column(""))
    console.rows(columns, [(one.sign, one.name, one.found, one.fix) for one in abilities])
    console.say()
    console.say(f"{counts[TICK]} ready, {counts[LOOK]} to look at, {counts[CROSS]} missing.")
    missing = next((one for one in abilities if one.sign == CROSS), None)
    console.next(missing.fix if missing else "captionstew build sampler")
    return 1 if missing else 0


def _plain(one: Ability) -> dict[str, str]:
    return asdict(one) | {"sign": {TICK: "ready", LOOK: "look", CROSS: "missing"}[one.sign]}


def _shards() -> Ability:
    found = f"pyarrow {version('pyarrow')}, polars {version('polars')}"
    return Ability(TICK, "read and write shards", found)


def _decode() -> Ability:
    import numpy as np
    import soundfile

    from captionstew.audio.codec import Undecodable, decode_mono, probe

    works = []
    for name, (container, subtype) in _TRIED.items():
        file = io.BytesIO()
        try:
            soundfile.write(file, np.zeros(4800, np.int16), 48_000, format=container, subtype=subtype)
            decode_mono(file.getvalue(), probe(file.getvalue()))
        except (soundfile.LibsndfileError, Undecodable, ValueError):
            continue
        works.append(name)
    found = f"libsndfile {soundfile.__libsndfile_version__}: {' '.join(works)}"
    lacking = [name for name in _TRIED if name not in works]
    if lacking:
        return Ability(LOOK, "decode audio", f"{found}; not {' '.join(lacking)}", "pip install -U soundfile")
    return Ability(TICK, "decode audio", found)


def _m4a() -> Ability:
    return _package("decode m4a, mp4", "av", "pip install 'captionstew[m4a]'", sign=LOOK)


def _encode(codec: str) -> Ability:
    import numpy as np

    from captionstew.audio.encode import encode

    try:
        encode(np.zeros(1600, np.int16), 16_000, codec)
    except StewError as error:
        return Ability(
            CROSS if codec == "flac" else LOOK, f"encode {codec.upper()}", error.message, error.hint
        )
    by = {"flac": f"libFLAC of pyFLAC {version('pyFLAC')}", "opus": "libsndfile"}.get(codec, "pyarrow")
    return Ability(TICK, f"encode {codec.upper()}", f"{by}, {platform.machine()}")


def _resample() -> Ability:
    return _package("resample", "soxr", _BUILD)


def _ray() -> Ability:
    return _package("run on Ray", "ray", f"{_BUILD}   (for large builds; small ones need none)", sign=LOOK)


def _datasets() -> Ability:
    return _package("load with datasets", "datasets", "pip install 'captionstew[hub]'", sign=LOOK)


def _train() -> Ability:
    missing = missing_packages()
    if missing:
        return Ability(LOOK, "train", f"not installed: {', '.join(missing)}", TRAINING)
    from captionstew.train.launch import gpus

    names = gpus()
    seen = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names)) or "no GPU: small runs"
    packages = f"torch {version('torch')}, transformers {version('transformers')}"
    return Ability(TICK, "train", f"{packages}; {seen}")


def _cores() -> Ability:
    return Ability(TICK, "cores", str(cores()))


def _memory() -> Ability:
    little = memory() < _LITTLE_MEMORY
    return Ability(
        LOOK if little else TICK, "memory", size(memory()), "build fewer corpora at once: --only" * little
    )


def _disk() -> Ability:
    folder = Path("build").absolute()
    free = free_disk(folder)
    fix = "build elsewhere: --out DIR, or smaller: --set codec=opus"
    return Ability(LOOK, "disk", f"{size(free)} free", fix) if free < _LITTLE_DISK else Ability(
        TICK, "disk", f"{size(free)} free for {_short(folder)}"
    )  # fmt: skip


def _short(folder: Path) -> str:
    text, home = str(folder), str(Path.home())
    return "~" + text[len(home) :] if text.startswith(home + "/") else text


def _package(name: str, package: str, fix: str, sign: str = CROSS) -> Ability:
    try:
        return Ability(TICK, name, f"{package} {version(package)}")
    except PackageNotFoundError:
        return Ability(sign, name, f"{package} is not installed", fix)


_CHECKS: tuple[Callable[[], Ability], ...] = (
    _shards, _decode, _m4a, lambda: _encode("flac"), lambda: _encode("opus"), lambda: _encode("pcm-zstd"),
    _resample, _ray, _datasets, _train, _cores, _memory, _disk,
)  # fmt: skip
