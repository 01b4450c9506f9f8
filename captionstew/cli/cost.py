"""What a build costs: bytes down, bytes on the disk, time; and whether the disk is large enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from captionstew.cli.amount import NOTHING, Amount
from captionstew.cli.estimate import TABLES, Load, written
from captionstew.cli.forecast import Asked, Forecast, Sizes, kept, worst
from captionstew.cli.machine import free_disk, standing
from captionstew.cli.rates import Rate
from captionstew.errors import BuildError
from captionstew.figures import size

_SHARD_SPEED = 150e6  # bytes per second, hashes and page index included


@dataclass(frozen=True)
class Cost:
    """What is still to be done of a build, about; what is already here costs nothing."""

    down: Amount
    kept: Amount  # that the store holds more at the end
    fetching: int  # bytes that the store needs at the worst moment of fetching
    source: int  # bytes of audio to read that is here
    hours: float  # of audio to work on
    disk: int  # bytes that the build folder grows by: encoded audio, shards, tables
    fetch_seconds: float
    audio_seconds: float
    shard_seconds: float

    @property
    def seconds(self) -> float:
        """Time that all of it takes."""
        return self.fetch_seconds + self.audio_seconds + self.shard_seconds

    @property
    def end(self) -> int:
        """Bytes more on the disk when all is over."""
        return self.kept.bytes + self.disk

    @property
    def peak(self) -> int:
        """Bytes more on the disk at the worst moment."""
        return max(self.fetching, self.end)


def to_fetch(
    sizes: Sizes,
    asked: Asked,
    expected: Sequence[Forecast],
    codec: str,
    out: Path,
    audio: Rate,
    network: Rate,
) -> Cost:
    """Of a build that fetches these items, and makes what is expected of the corpora that are ready.

    Nobody knows how much of a corpus comes of which a part is not open: it adds its downloads alone.
    """
    ready = [one for one in expected if one.ready and not one.part]
    seconds, clips = sum(one.seconds for one in ready), sum(one.clips or 0 for one in ready)
    down = sum(sizes.values(), NOTHING)
    stays = sum((kept(item, amount) for item, amount in sizes.items()), NOTHING)
    shards = written(seconds, codec)
    made = sum(one.audio.kept.bytes for one in ready if one.audio.state == "made")
    disk = made + max(0, 2 * shards + clips * TABLES - _held(out))
    fetching = worst(sizes, asked)
    return Cost(
        down, stays, fetching, 0, seconds / 3600, disk,
        down.bytes / network.per_second, seconds / audio.per_second, shards / _SHARD_SPEED,
    )  # fmt: skip


def to_build(found: Sequence[Load], codec: str, out: Path, audio: Rate, *, shards: bool) -> Cost:
    """Of a build that has all its files; `shards` says whether they change."""
    left = sum(load.left_seconds for load in found)
    made = written(sum(load.seconds for load in found), codec) if shards else 0
    replaced = sum(path.stat().st_size for path in out.glob("data/*/*/*.parquet"))
    tables = sum(load.clips for load in found) * TABLES if shards else 0
    disk = written(left, codec) + max(0, made - replaced) + tables
    source = sum(load.left_source for load in found)
    return Cost(
        NOTHING, NOTHING, 0, source, left / 3600, disk, 0.0, left / audio.per_second, made / _SHARD_SPEED
    )


def grows(one: Forecast, codec: str) -> Amount:
    """What a corpus leaves on the disk: downloads, its audio encoded and in shards, tables."""
    built = 0 if one.part else 2 * written(one.seconds, codec) + (one.clips or 0) * TABLES
    return one.text.kept + one.audio.kept + Amount(about=built, unknown=int(one.part or one.hours is None))


def worst_moment(one: Forecast, codec: str) -> Amount:
    """What a corpus takes of the disk at the worst moment, if it is built alone."""
    end = grows(one, codec)
    return Amount(about=max(one.fetching, end.bytes), unknown=end.unknown)


def remedies(expected: Sequence[Forecast], cost: Cost, codec: str, out: Path) -> list[str]:
    """What would need less of the disk, or another one."""
    ready = [one for one in expected if one.ready]
    found = []
    if codec != "opus":
        less = sum(grows(one, "opus").bytes for one in ready)
        found.append(f"--set codec=opus needs about {size(less)}")
    fitting, total = list[str](), 0
    known = [one for one in ready if one.hours is not None and not one.part and not one.audio.down.unknown]
    for one in sorted(known, key=lambda one: grows(one, codec).bytes):
        total += grows(one, codec).bytes
        if total > free_disk(out):
            total -= grows(one, codec).bytes
            break
        fitting.append(one.corpus)
    if fitting and len(fitting) < len(ready):
        found.append(f"--only {' --only '.join(fitting)} needs about {size(total)}")
    if cost.fetching:
        name = max(ready, key=lambda one: (one.text.kept + one.audio.kept).bytes).corpus
        found.append(f"the downloads on another disk: captionstew fetch {name} --to DIR, "
                     f"then --audio {name}=DIR/corpora/{name}")  # fmt: skip
    return [*found, "or --out on another disk, --limit, --subset 1m"]


def check_disk(cost: Cost, store: Path, out: Path, hints: Sequence[str]) -> None:
    """BuildError with the shortfall where the disk of the store or of the build is too small."""
    one = standing(store).stat().st_dev == standing(out).stat().st_dev
    parts = f"{size(cost.kept.bytes)} of downloads, {size(cost.disk)} of the build"
    if one or not cost.fetching:
        places = [(cost.peak, out, f" at the peak: {parts}" if cost.fetching else "")]
    else:
        places = [(cost.fetching, store, " for downloads"), (cost.disk, out, " for the build")]
    for needed, folder, what in places:
        if needed > (free := free_disk(folder)):
            raise BuildError(
                f"the disk is too small by {size(needed - free)}",
                cause=f"about {size(needed)} are needed{what}; {size(free)} are free",
                where=str(folder.absolute()),
                hint="\n".join(hints),
            )


def _held(out: Path) -> int:
    """Bytes of audio that an earlier run has left, which the next replaces."""
    files = [*out.glob("data/*/*/*.parquet"), *out.glob("work/audio/*")]
    return sum(path.stat().st_size for path in files if path.is_file())
