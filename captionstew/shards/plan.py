"""Which clips make which batch: one endless stream for any number of readers, whose whole state is a few integers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt

from captionstew.digest import digest
from captionstew.errors import StewError
from captionstew.shards.batching import Batching
from captionstew.shards.hold_out import held_out
from captionstew.shards.partition import batch_sizes
from captionstew.shards.read import Clips
from captionstew.shards.shuffle import Words, hashed, permuted
from captionstew.shards.sources import Integers, Selection
from captionstew.shards.styles import Styles
from captionstew.shards.withdrawn import withdrawn

_ORDER, _CAPTION, _CROP, _STYLE = 1, 2, 3, 5  # keys of the draws; 4 is a limit's
_LOOKED_AT = 12  # windows that stand for all
_VERSION = 2  # of how the stream is made: positions of another one mean other batches


@dataclass(frozen=True)
class Position:
    """Where in the stream a reader is: everything before batch `batch` of a window of an epoch has been read."""

    epoch: int = 0
    window: int = 0
    batch: int = 0


START = Position()


@dataclass(frozen=True)
class Items:
    """The rows of a batch, in the order in which their audio lies in the shards; all int64.

    `captions` numbers a caption of the clip, -1 for none; `starts` and `lengths` are samples; `seeds`, 63 bits of
    (seed, pass, clip), are for what else is drawn for the row, such as its augmentation.
    """

    clips: Integers
    captions: Integers
    starts: Integers
    lengths: Integers
    seeds: Integers

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, rows: slice | Integers) -> "Items":
        columns = self.captions[rows], self.starts[rows], self.lengths[rows], self.seeds[rows]
        return Items(self.clips[rows], *columns)


class Plan:
    """The stream of batches over the clips of `corpora`, which are ranges of clip numbers by name.

    Epochs follow each other without end. The corpora are interleaved in fixed proportions, each passed in an order
    of its own for every pass. `left_out` counts the clips that never come, by reason; `chosen` says of every clip
    whether it may, `withdrawn` whether it was taken down.
    """

    def __init__(
        self,
        num_samples: Integers,
        num_captions: Integers,
        corpora: Mapping[str, Sequence[range]],
        batching: Batching,
        sample_rate: int = 16_000,
        chosen: npt.NDArray[np.bool_] | None = None,
        withdrawn: npt.NDArray[np.bool_] | None = None,
        styles: Styles | None = None,
    ) -> None:
        self.batching, self.sample_rate = batching, sample_rate
        self.num_samples, self._num_captions, self._styles = num_samples, num_captions, styles
        selection = Selection(num_samples, num_captions, batching, sample_rate, chosen, withdrawn, styles)
        self._sources, self.left_out = selection.sources(corpora), selection.left_out
        if not self._sources:
            cause = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items() if count)
            raise StewError("there is no clip to read", cause=f"left out: {cause}", hint=_remedy(self))
        if batching.window < 2 * len(self._sources) + 2:  # every corpus may be an item short in a window
            raise StewError(
                f"a window of {batching.window} for {len(self._sources)} corpora", hint="widen it"
            )
        items = {name: len(source) for name, source in self._sources.items()}
        seconds = {name: source.num_samples / sample_rate for name, source in self._sources.items()}
        self.num_items, self.hours = sum(items.values()), sum(seconds.values()) / 3600
        self.num_windows = -(-self.num_items // batching.window)
        self._draws = batching.mixture.draws(seconds, items)

    @classmethod
    def of(cls, clips: Clips, batching: Batching) -> "Plan":
        """The plan over a build folder's clips; StewError if it does not have the corpora or the split."""
        files = [file for file in clips.sidecar.files if batching.split in {"", file.split}]
        names = sorted({file.corpus for file in files})
        if missing := set(batching.corpora or [""]) - {*names, *([""] if names else [])}:
            splits = ", ".join(sorted({file.split for file in clips.sidecar.files}))
            wanted = ", ".join(sorted(filter(None, missing))) or "any corpus"
            hint = f"splits: {splits or 'none'}; corpora of this one: {', '.join(names) or 'none'}"
            raise StewError(
                f"no clips of {wanted} in split {batching.split!r}", where=str(clips.folder), hint=hint
            )
        rate = clips.sidecar.sample_rate
        if rate is None:
            raise StewError("sample rates differ", where=str(clips.folder), hint="build with one sample rate")
        corpora = {name: clips.ranges(name, batching.split) for name in batching.corpora or names}
        chosen = held_out(clips, batching.hold_out) == batching.held_out if batching.hold_out else None
        styles = Styles(clips, batching.styles) if batching.styles else None
        return cls(
            clips.num_samples, clips.num_captions, corpora, batching, rate, chosen, withdrawn(clips), styles
        )

    @cached_property
    def digest(self) -> str:
        """A hash of the settings and of what there is: where it is equal, a position means the same batch."""
        sources = {name: (len(source), source.num_samples) for name, source in self._sources.items()}
        return digest(asdict(self.batching), sources, self.sample_rate, _VERSION)

    @property
    def batch_samples(self) -> int:
        """Samples, padding included, that no batch exceeds."""
        return int(self.batching.seconds * self.sample_rate)

    def state(self, position: Position) -> dict[str, int | str]:
        """A position as JSON of less than 100 bytes, with what tells whether the plan is still the same."""
        return {**asdict(position), "plan": self.digest}

    def position(self, state: Mapping[str, int | str]) -> Position:
        """The position that `state` gave; StewError if it was another plan's."""
        if state["plan"] != self.digest:
            cause = "the clips, the seed or the settings of batches have changed"
            hint = "continue with the same ones, or begin a new run from the weights"
            raise StewError("this position is in another stream of batches", cause=cause, hint=hint)
        return Position(*(int(state[field.name]) for field in fields(Position)))

    def batches(
        self, position: Position = START, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Items, Position]]:
        """Rank `rank`'s batches from a position on, each with the position where all ranks then stand.

        Of every `world` batches of the stream each rank gets one, so all have equally many, and whoever continues
        at a position that was handed out, in whatever number, loses and repeats nothing. Epochs flow into each
        other, which leaves no remainder at their ends; only a single pass may give the first ranks one more.
        """
        assert 0 <= rank < world, (rank, world)
        stream = self._stream(position)
        while len(step := list(islice(stream, world))) > rank:
            yield step[rank][0], step[-1][1]

    def padding(self) -> float:
        """The share of samples that are padding, by a dozen windows spread over an epoch."""
        windows = np.unique(np.linspace(0, self.num_windows - 1, _LOOKED_AT).astype(int))
        batches = [items.lengths for window in windows.tolist() for items in self.window(window)]
        return 1 - sum(int(n.sum()) for n in batches) / sum(int(n.max()) * len(n) for n in batches)

    def window(self, number: int) -> list[Items]:
        """The batches of a window, counted from the beginning of the first epoch on."""
        items, sizes = self._cut(self._drawn(number))
        place = self._order(number, len(sizes))
        batch = np.repeat(place, sizes)
        items = items[
            np.argsort(batch << 32 | items.clips, kind="stable")
        ]  # within a batch as the shards have it
        sizes = sizes[np.argsort(place)]
        ends = np.cumsum(sizes)
        return [items[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]

    def _stream(self, position: Position) -> Iterator[tuple[Items, Position]]:
        epoch, window, first = position.epoch, position.window, position.batch
        while self.batching.shuffle or epoch == 0:
            assert window < self.num_windows, (position, self.num_windows)
            batches = self.window(epoch * self.num_windows + window)
            assert first < len(batches), (position, len(batches))
            after = Position(epoch, window + 1) if window + 1 < self.num_windows else Position(epoch + 1)
            for number, items in enumerate(batches[first:], first + 1):
                yield items, Position(epoch, window, number) if number < len(batches) else after
            epoch, window, first = after.epoch, after.window, 0

    def _drawn(self, number: int) -> Items:
        """The items of a window: of each corpus what falls to it by its proportion, and by integers alone."""
        clips: list[Integers] = []
        captions: list[Integers] = []
        turns: list[Integers] = []
        for key, (name, source) in enumerate(self._sources.items()):
            draws = self._draws.get(name, 0)
            start, end = (draws * n // self.num_windows for n in (number, number + 1))
            while start < end:
                turn, first = divmod(start, len(source))
                count = min(end - start, len(source) - first)
                positions = np.arange(first, first + count)
                if self.batching.shuffle:
                    positions = permuted(positions, len(source), self.batching.seed, _ORDER, key, turn)
                clips.append(source.clips[positions].astype(np.int64))
                if source.captions is not None:
                    captions.append(source.captions[positions].astype(np.int64))
                turns.append(np.full(count, turn))
                start += count
        chosen = np.concatenate(captions) if captions else None
        return self._items(np.concatenate(clips), chosen, np.concatenate(turns))

    def _items(self, clips: Integers, captions: Integers | None, turns: Integers) -> Items:
        """What is drawn for clips in a pass through their corpus depends on the seed, the pass and the clip alone."""
        seed = self.batching.seed
        chance = hashed(seed, turns, clips, 0 if captions is None else captions)
        if captions is None:
            captions = self._one(clips, turns) if self.batching.captions == "one" else np.full(len(clips), -1)
        num_samples = self.num_samples[clips].astype(np.int64)
        lengths = np.minimum(num_samples, int(self.batching.longest * self.sample_rate))
        starts = (num_samples - lengths) // 2
        if self.batching.shuffle and len(cropped := np.flatnonzero(starts)):
            starts[cropped] = _number(hashed(chance[cropped], _CROP)) % (num_samples - lengths + 1)[cropped]
        return Items(clips, captions, starts, lengths, _number(chance))

    def _one(self, clips: Integers, turns: Integers) -> Integers:
        """A caption of each clip: the first by chance, then in turn, so that none is forgotten."""
        seed = self.batching.seed
        turn = _number(hashed(seed, _CAPTION, clips)) + turns
        if self._styles:
            return self._styles.draw(clips, hashed(seed, _STYLE, turns, clips), turn)
        return turn % self._num_captions[clips]

    def _cut(self, items: Items) -> tuple[Items, Integers]:
        """The items from long to short, and how many of them make each batch."""
        lengths, spread = items.lengths, self.batching.spread
        by = np.log(lengths) // np.log1p(spread) if spread else lengths
        items = items[np.argsort(-by, kind="stable")]
        longest = np.maximum.accumulate(items.lengths[::-1])[::-1]  # of those that are left
        squares = int(self.batching.squares * self.sample_rate**2)
        room = np.minimum(self.batch_samples // longest, squares // (longest * longest))
        room = np.maximum(room, 1)  # where `longest` fits exactly, rounding must not shut it out
        sizes = batch_sizes(longest, room, self.batch_samples)
        return items, np.array(sizes)

    def _order(self, number: int, count: int) -> Integers:
        """Where each of the batches of a window stands after the shuffle."""
        if not self.batching.shuffle:
            return np.arange(count)
        return np.argsort(
            np.argsort(hashed(self.batching.seed, _ORDER, number, np.arange(count)), kind="stable")
        )


def _remedy(plan: Plan) -> str:
    """What to change for a plan that leaves everything out."""
    reason = max(plan.left_out, key=lambda reason: plan.left_out[reason])
    if reason == "held out" and plan.batching.held_out:
        return "hold out a greater share, or do without a validation"
    remedies = {
        "uncaptioned": "captionstew inspect shows what was built; in a table, name the column `caption`",
        "without a caption of these styles": "give more styles a weight above 0",
        "short": "lower the least seconds of a clip",
        "held out": "hold out a smaller share",
    }
    return remedies.get(reason, "give a build with clips")


def _number(words: Words) -> Integers:
    """63 bits of each word, as a number that is not negative."""
    return (words >> np.uint64(1)).astype(np.int64)
