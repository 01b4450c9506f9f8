"""Every stage keeps the promises that ledger, runner and cluster rely on; a new file is tested by existing."""

import hashlib
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import polars as pl
import pytest
import soundfile

import captionstew.stages
from captionstew.corpora.facts import corpus
from captionstew.pipeline.sound import Sound, Source
from captionstew.pipeline.stage import ClipStage, Context, Sink, Stage, Tables, TableStage
from captionstew.stages.merge import Merge
from captionstew.stages.read import Read

MODULES = sorted(module.name for module in pkgutil.iter_modules(captionstew.stages.__path__))
KINDS = {TableStage, ClipStage, Sink}
RATE = 16_000


def stages() -> Iterator[type[Stage]]:
    """Every stage class of the package."""
    for name in MODULES:
        module = importlib.import_module(f"captionstew.stages.{name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Stage) and kind.__module__ == module.__name__:
                yield kind


STAGES = list(stages())
# Where and in which portions the work is done: output does not depend on it, and so identities must not.
PLACES = {
    "Events": {"device", "batch_size", "cache", "piece_seconds"},
    "Enrich": {"store", "concurrency", "python", "gpus", "context", "tries", "price"},
    "Guard": {"device"},
}
NEEDED = {"Guard": {"similarity": "org/clap"}}  # what other fields are nothing without
every = pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.__name__)


def other(value: Any, hint: Any = None) -> Any:
    """Another value of the same kind, which a stage would accept."""
    if get_origin(hint) is Literal:
        return next(choice for choice in get_args(hint) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 if value else 0.5
    if isinstance(value, tuple):
        return ("audio", "captions") if value == ("audio",) else ("audiocaps",)
    if is_dataclass(value) and not isinstance(value, type):
        first = fields(value)[0].name
        return replace(value, **{first: other(getattr(value, first))})
    assert isinstance(value, str), f"what would be another {value!r}?"
    return {"flac": "opus", "10m": "1m"}.get(value, value + "x")


def test_every_module_holds_one_stage_of_its_name() -> None:
    assert [kind.__module__.rpartition(".")[2] for kind in STAGES] == MODULES
    assert [kind.__name__.lower() for kind in STAGES] == MODULES
    assert len(MODULES) > 10


@every
def test_a_stage_is_of_one_kind_and_says_what_it_does(kind: type[Stage]) -> None:
    assert len(KINDS & set(kind.__mro__)) == 1
    assert kind.__doc__
    assert not kind.__doc__.startswith(f"{kind.__name__}(")  # what a dataclass has where nobody wrote one
    assert (importlib.import_module(kind.__module__).__doc__ or "").startswith(f"{kind.__name__}: ")
    assert kind().name == kind.__name__.lower()


@every
def test_a_stage_is_frozen(kind: type[Stage]) -> None:
    assert is_dataclass(kind)
    stage = kind()
    assert stage == kind()
    assert hash(stage) == hash(kind())
    for field in fields(stage):
        with pytest.raises(FrozenInstanceError):
            setattr(stage, field.name, getattr(stage, field.name))


@every
def test_a_stage_travels_to_another_process(kind: type[Stage]) -> None:
    copy = pickle.loads(pickle.dumps(kind()))
    assert copy == kind()
    assert copy.identity() == kind().identity()


@every
def test_each_field_and_the_version_are_part_of_the_identity(kind: type[Stage]) -> None:
    needed = NEEDED.get(kind.__name__, {})
    stage = replace(kind(), **needed)
    changed: list[str] = []
    same: list[str] = []
    hints = get_type_hints(kind)
    for field in fields(stage):
        one = replace(stage, **{field.name: other(getattr(stage, field.name), hints[field.name])})
        (same if field.name in PLACES.get(kind.__name__, ()) else changed).append(one.identity())
    assert set(same) <= {stage.identity()}
    newer = type(kind.__name__, (kind,), {"version": kind.version + 1})(**needed)
    identities = [stage.identity(), newer.identity(), *changed]
    assert len(set(identities)) == len(identities)


def test_identities_differ_between_stages_and_are_the_same_in_every_process() -> None:
    mine = [kind().identity() for kind in STAGES]
    assert len(set(mine)) == len(mine)
    lines = [
        f"from {kind.__module__} import {kind.__name__}; print({kind.__name__}().identity())"
        for kind in STAGES
    ]
    for seed in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=60,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )  # fmt: skip
        assert run.stdout.split() == mine


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sounds of the user's own, two of them alike, with captions."""
    folder = tmp_path_factory.mktemp("own")
    for number in range(12):
        time = np.arange(2 * RATE) / RATE
        sweep = np.sin(2 * np.pi * (300 + 60 * (number % 11)) * time * (1 + time / 3)) * np.exp(-time % 0.3)
        soundfile.write(folder / f"{number:02}.wav", 0.3 * sweep, RATE)
    lines = "".join(f"{number:02}.wav,Sound number {number // 2}\n" for number in range(12))
    (folder / "metadata.csv").write_text(f"file_name,caption\n{lines}99.wav,Nowhere\n")
    return folder


def run_table(stage: TableStage, place: Path) -> tuple[Any, ...]:
    """What a table stage makes of these sounds."""
    context = Context((corpus("folder"),), {"folder": (place,)}, audio=measured(place), work=place)
    read = Read()(Tables(pl.LazyFrame(), pl.LazyFrame()), context).tables
    out = stage(Merge()(read, context).tables if stage.name not in {"read", "merge"} else read, context)
    tables = (out.tables.clips, out.tables.captions, out.drops, out.caption_drops)
    frames = [table.collect() for table in tables]
    assert [frame.columns for frame in frames[2:]] == [["rank", "clip_id", "corpus", "reason", "detail"]] * 2
    ordered = [
        frame.sort([name for name in ("rank", "origin", "place") if name in frame.columns])
        for frame in frames
    ]
    return (*(frame.write_json() for frame in ordered), stage.upstream(context))


def measured(place: Path) -> pl.LazyFrame:
    """What the audio stages say of these sounds."""
    ids = [f"folder:{number:02}.wav" for number in range(12)]
    prints = [
        np.random.default_rng(number // 3).integers(1, 2**32, 40, np.uint32).astype("<u4").tobytes()
        for number in range(12)
    ]
    measures = {
        name: [number / 12 for number in range(12)]
        for name in ("silence", "clipping", "dc_offset", "bandwidth")
    }
    return pl.LazyFrame(
        {"clip_id": ids, "audio_sha256": [str(n // 2) for n in range(12)], "fingerprint": prints, **measures}
    )


def run_clips(place: Path) -> list[tuple[Any, ...]]:
    """What all clip stages, one after the other, make of these sounds."""
    clip_stages = [kind() for kind in STAGES if issubclass(kind, ClipStage)]
    order = {"probe": 0, "duration": 1, "normalize": 2, "measure": 3, "encode": 4}
    found = []
    for path in sorted(place.glob("*.wav")):
        sound = Sound(path.name, Source(str(path), -1, path.stat().st_size))
        for stage in sorted(clip_stages, key=lambda stage: order.get(stage.name, 3)):
            assert isinstance(stage, ClipStage)
            assert stage(sound) is None
        assert sound.pcm is not None
        assert sound.words is not None
        content = hashlib.sha256(sound.encoded).hexdigest()
        found.append((sound.form, sound.measures, sound.sha256, sound.words.tobytes(), content, sound.codec))
    return found


@pytest.mark.parametrize(
    "kind", [kind for kind in STAGES if issubclass(kind, TableStage)], ids=lambda kind: kind.__name__
)
def test_a_table_stage_gives_the_same_twice(kind: type[TableStage], place: Path) -> None:
    nothing_here = {"Decontaminate": {"against": (), "blocklists": ()}, "Events": {"model": ""}}
    fields: dict[str, Any] = nothing_here.get(kind.__name__, {})  # type: ignore[assignment]
    assert run_table(kind(**fields), place) == run_table(kind(**fields), place)


def test_the_clip_stages_give_the_same_twice(place: Path) -> None:
    assert run_clips(place) == run_clips(place)
