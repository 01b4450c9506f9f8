"""The stream of batches."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.batching import Batching
from captionstew.shards.layout import shard_path
from captionstew.shards.mixture import Mixture
from captionstew.shards.plan import START, Items, Plan, Position
from captionstew.shards.read import Clips
from captionstew.shards.write import write_shard

RATE = 16_000
SMALL: dict[str, Any] = {"window": 64, "seconds": 120.0, "squares": 1_800.0}


def _plan(clips: int = 500, corpora: dict[str, list[range]] | None = None, **settings: Any) -> Plan:
    """Clips with the mean and the spread of CaptionStew's, 1 to 3 captions each."""
    random = np.random.default_rng(1)
    seconds = np.clip(random.lognormal(np.log(14.4) - 0.18, 0.6, clips), 1, 90)
    num_captions = random.integers(1, 4, clips).astype(np.uint32)
    num_samples = (seconds * RATE).astype(np.uint32)
    return Plan(num_samples, num_captions, corpora or {"all": [range(clips)]}, Batching(**SMALL | settings))


def _epochs(plan: Plan, count: int) -> list[list[tuple[Items, Position]]]:
    """The batches of the first epochs."""
    epochs: list[list[tuple[Items, Position]]] = [[]]
    for items, after in plan.batches():
        epochs[-1].append((items, after))
        if after == Position(len(epochs)):
            if len(epochs) == count:
                return epochs
            epochs.append([])
    raise AssertionError("the stream ended")


def _clips(batches: list[tuple[Items, Position]]) -> list[int]:
    return [clip for items, _ in batches for clip in items.clips.tolist()]


def _rows(batches: list[tuple[Items, Position]], *names: str) -> Iterator[tuple[int, ...]]:
    """Each row's clip with some of its columns."""
    for items, _ in batches:
        yield from zip(*(getattr(items, name).tolist() for name in ("clips", *names)), strict=True)


def _same(one: list[Items], other: list[Items]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one, other, strict=True)
        for name in ("clips", "captions", "starts", "lengths", "seeds")
    )


def test_every_clip_comes_once_an_epoch_in_another_order_each_time() -> None:
    first, second = _epochs(_plan(), 2)
    assert sorted(_clips(first)) == sorted(_clips(second)) == list(range(500))
    assert _clips(first) != _clips(second)


def test_batches_keep_within_seconds_and_within_squares() -> None:
    plan = _plan()
    sizes = []
    for items, _ in _epochs(plan, 1)[0]:
        longest = int(items.lengths.max()) / RATE
        assert len(items) * longest <= 120
        assert len(items) * longest**2 <= 1_800
        assert items.lengths.min() > 0
        sizes.append((longest, len(items)))
    assert max(sizes)[1] <= 2  # 30 s: by seconds it would be 4
    filled = [max(longest * count / 120, longest**2 * count / 1_800) for longest, count in sizes]
    assert sum(filled) / len(filled) > 0.7


def test_the_rows_of_a_batch_lie_in_the_order_of_the_shards() -> None:
    assert all(np.all(np.diff(items.clips) >= 0) for items, _ in _epochs(_plan(), 1)[0])


def test_resuming_at_any_batch_gives_the_very_same_batches() -> None:
    plan = _plan()
    stream = [pair for epoch in _epochs(plan, 2) for pair in epoch]
    for number in (0, 1, 7, len(stream) // 2, len(stream) - 2):
        resumed = list(islice(_plan().batches(stream[number][1]), len(stream) - number - 1))
        assert _same([items for items, _ in resumed], [items for items, _ in stream[number + 1 :]])
        assert [after for _, after in resumed] == [after for _, after in stream[number + 1 :]]


def test_another_number_of_ranks_loses_and_repeats_nothing() -> None:
    plan = _plan()
    expected = [items for items, _ in islice(plan.batches(), 3 * 7 + 2 * 30 + 8 * 5)]
    position, taken = START, []
    for world, steps in ((3, 7), (2, 30), (8, 5)):  # the 30 steps cross into the second epoch
        ranks = [list(islice(plan.batches(position, rank, world), steps)) for rank in range(world)]
        assert len({tuple(after for _, after in rank) for rank in ranks}) == 1
        taken += [ranks[rank][step][0] for step in range(steps) for rank in range(world)]
        position = ranks[0][-1][1]
    assert position.epoch >= 1
    assert _same(taken, expected)


def test_a_position_is_less_than_100_bytes_and_only_good_for_its_own_plan() -> None:
    plan, position = _plan(), Position(10**6, 1_135, 187)
    text = json.dumps(plan.state(position))
    assert len(text) < 100
    assert _plan().position(json.loads(text)) == position
    for other in (
        _plan(clips=499),
        _plan(seed=1),
        _plan(longest=20.0),
        _plan(corpora={"some": [range(500)]}),
    ):
        with pytest.raises(StewError, match="another stream of batches"):
            other.position(json.loads(text))


def test_the_stream_is_that_of_every_other_machine() -> None:
    numbers = np.arange(300, dtype=np.uint32)
    plan = Plan(RATE * (20 + 7 * numbers % 29), 1 + numbers % 3, {"a": [range(300)]}, Batching(**SMALL))
    items, after = next(plan.batches())
    assert (items.clips.tolist(), items.captions.tolist(), after) == ([80, 254], [2, 0], Position(0, 0, 1))
    assert items.seeds.tolist() == [7365546425959309190, 4449795593748645299]


@pytest.mark.parametrize(("clips", "most"), [(2_000, 0.03), (100_000, 0.01)])
def test_little_of_a_batch_is_padding(clips: int, most: float) -> None:
    plan = _plan(clips, window=8192, seconds=640.0, squares=19_200.0)
    assert 0 < plan.padding() <= most
    batches = [items.lengths for items in plan.window(0)]
    assert min(len(n) * int(n.max()) for n in batches) > 200 * RATE  # none is a mere remainder


def test_spread_trades_padding_for_variety() -> None:
    def again(plan: Plan) -> int:
        first, second = ({tuple(items.clips.tolist()) for items, _ in epoch} for epoch in _epochs(plan, 2))
        return len(first & second)

    strict, loose = _plan(window=1024), _plan(window=1024, spread=0.1)
    assert again(loose) < again(strict) / 4
    assert strict.padding() < loose.padding() < strict.padding() + 0.08
    for items, _ in _epochs(loose, 1)[0]:
        assert len(items) * int(items.lengths.max()) <= 120 * RATE


def test_long_clips_are_cropped_at_a_place_that_seed_pass_and_clip_decide() -> None:
    plan = _plan()
    places = [
        {
            clip: (start, length, int(plan.num_samples[clip]))
            for clip, start, length in _rows(epoch, "starts", "lengths")
        }
        for epoch in _epochs(plan, 2)
    ]
    cropped = [clip for clip, (_, length, whole) in places[0].items() if length < whole]
    assert len(cropped) > 10
    for epoch in places:
        assert all(length == min(whole, 30 * RATE) for _, length, whole in epoch.values())
        assert all(0 <= start <= whole - length for start, length, whole in epoch.values())
    assert sum(places[0][clip] != places[1][clip] for clip in cropped) == len(cropped)
    other = _epochs(_plan(window=128), 1)[0]
    assert all(
        places[0][c][0] == s for i, _ in other for c, s in zip(i.clips.tolist(), i.starts, strict=True)
    )


def test_seeds_differ_between_clips_and_passes_and_not_between_windows() -> None:
    first, second = _epochs(_plan(), 2)
    seeds = [{int(s) for items, _ in epoch for s in items.seeds} for epoch in (first, second)]
    assert len(seeds[0] | seeds[1]) == 1_000
    assert seeds[0] == {int(s) for items, _ in _epochs(_plan(window=100), 1)[0] for s in items.seeds}


def test_one_caption_each_pass_and_none_is_forgotten() -> None:
    plan = _plan(clips=200)
    seen = [{row[0]: row[1] for row in _rows(epoch, "captions")} for epoch in _epochs(plan, 6)]
    for clip in range(200):
        counts = Counter(epoch[clip] for epoch in seen)
        assert len(set(counts.values())) == 1, (
            f"of 6 passes each of 1, 2 or 3 captions has its part: {counts}"
        )
    firsts = [seen[0][clip] for clip in range(200) if len({epoch[clip] for epoch in seen}) == 3]
    assert min(Counter(firsts).values()) > 10


def test_all_captions_come_each_as_an_item_of_its_own() -> None:
    plan = _plan(clips=200, captions="all")
    num_captions = np.random.default_rng(1)
    num_captions.lognormal(0, 1, 200)
    counts = num_captions.integers(1, 4, 200).tolist()
    pairs = [
        pair
        for items, _ in _epochs(plan, 1)[0]
        for pair in zip(items.clips.tolist(), items.captions.tolist(), strict=True)
    ]
    assert sorted(pairs) == [(clip, caption) for clip in range(200) for caption in range(counts[clip])]
    seeds = {int(s) for items, _ in _epochs(plan, 1)[0] for s in items.seeds}
    assert len(seeds) == len(pairs)


def test_what_is_left_out_is_counted() -> None:
    num_samples = np.array([0, 8_000, 16_000, 32_000, 48_000], np.uint32)
    num_captions = np.array([1, 1, 0, 1, 2], np.uint32)
    plan = Plan(num_samples, num_captions, {"a": [range(5)]}, Batching())
    assert _clips(_epochs(plan, 1)[0]) == [3, 4]
    assert plan.left_out == {"short": 2, "uncaptioned": 1}
    silent = Plan(num_samples, num_captions, {"a": [range(5)]}, Batching(captions="none", shortest=0))
    assert _clips(_epochs(silent, 1)[0]) == [1, 2, 3, 4]
    assert _epochs(silent, 1)[0][0][0].captions.tolist() == [-1] * 4
    with pytest.raises(StewError, match=r"there is no clip to read; cause: left out: 5 short"):
        Plan(num_samples, num_captions, {"a": [range(5)]}, Batching(shortest=5))


def test_corpora_are_mixed_in_proportion_in_every_window() -> None:
    corpora = {"big": [range(100, 500)], "small": [range(50), range(50, 100)]}
    plan = _plan(corpora=corpora)
    for number in range(plan.num_windows):
        clips = np.concatenate([items.clips for items in plan.window(number)])
        assert abs(np.count_nonzero(clips < 100) - 500 / plan.num_windows / 5) <= 1


def test_a_small_corpus_comes_as_often_as_its_weight_says_and_evenly() -> None:
    corpora = {"big": [range(40, 500)], "small": [range(40)]}
    plan = _plan(corpora=corpora, mixture=Mixture(weights={"big": 1, "small": 1}))
    epochs = _epochs(plan, 3)
    seconds = [
        sum(int(n) for items, _ in e for c, n in zip(items.clips, items.lengths, strict=True) if c < 40)
        for e in epochs
    ]
    total = [sum(int(items.lengths.sum()) for items, _ in epoch) for epoch in epochs]
    assert all(
        part / whole == pytest.approx(0.5, abs=0.02) for part, whole in zip(seconds, total, strict=True)
    )
    often = Counter(clip for clip in (c for e in epochs for c in _clips(e)) if clip < 40)
    assert max(often.values()) - min(often.values()) <= 1
    rare = Counter(clip for clip in (c for e in epochs for c in _clips(e)) if clip >= 40)
    assert max(rare.values()) - min(rare[clip] for clip in range(40, 500)) <= 1
    one = [set(items.seeds.tolist()) for e in epochs for items, _ in e]
    assert sum(map(len, one)) == len(set().union(*one)), (
        "a clip that comes again in an epoch is drawn for anew"
    )


def test_without_shuffle_it_is_one_pass_in_order() -> None:
    plan = _plan(shuffle=False)
    batches = list(plan.batches())
    assert sorted(_clips(batches)) == list(range(500))
    windows = [sorted(c for i in plan.window(n) for c in i.clips.tolist()) for n in range(plan.num_windows)]
    assert [clip for window in windows for clip in window] == list(range(500))
    assert all(2 * items.starts[row] in (n := int(plan.num_samples[clip] - items.lengths[row]), n - 1)
               for items, _ in batches for row, clip in enumerate(items.clips))  # fmt: skip
    ranks = [list(plan.batches(rank=rank, world=4)) for rank in range(4)]
    assert sorted(clip for rank in ranks for clip in _clips(rank)) == list(range(500))
    assert len(ranks[0]) - len(ranks[3]) in (0, 1)


def test_a_limit_chooses_the_same_part_of_every_corpus_each_epoch() -> None:
    plan = _plan(corpora={"big": [range(100, 500)], "small": [range(100)]}, limit=50)
    first, second = (sorted(_clips(epoch)) for epoch in _epochs(plan, 2))
    assert first == second != list(range(50))
    assert (len(first), sum(clip < 100 for clip in first)) == (50, 10)
    assert plan.left_out["beyond the limit"] == 450


@pytest.mark.parametrize("longest", [0.1, 0.7, 1.1, 29.7])
def test_a_budget_of_one_longest_clip_gives_batches_of_one(longest: float) -> None:
    plan = _plan(60, longest=longest, seconds=longest, squares=longest * longest, shortest=longest)
    assert {len(items) for items, _ in _epochs(plan, 1)[0]} == {1}


def test_settings_that_leave_no_room_are_refused() -> None:
    with pytest.raises(StewError, match=r"640 s and 400 s\^2 has no room for a clip of 30 s"):
        Batching(squares=400)
    with pytest.raises(StewError, match="a window of 5 for 2 corpora"):
        _plan(corpora={"a": [range(9)], "b": [range(9, 20)]}, window=5)


def test_a_plan_reads_the_corpora_and_the_split_that_it_is_told(finished: Path) -> None:
    clips, short = Clips(finished), Batching(shortest=0, captions="none")
    assert sorted(_clips(_epochs(Plan.of(clips, short), 1)[0])) == list(range(20, 270))
    assert sorted(
        _clips(_epochs(Plan.of(clips, replace(short, split="", corpora=("beeps",))), 1)[0])
    ) == list(range(20))
    assert Plan.of(clips, replace(short, split="")).num_items == 270
    with pytest.raises(
        StewError, match=r"no clips of beeps, nobody in split 'train'.*corpora of this one: tones"
    ):
        Plan.of(clips, Batching(corpora=("beeps", "tones", "nobody")))
    with pytest.raises(StewError, match=r"no clips of any corpus in split 'test'.*splits: train, val"):
        Plan.of(clips, Batching(split="test"))


def test_recordings_that_are_held_out_are_held_out_whole(
    tmp_path: Path, make_row: Callable[..., dict[str, Any]], make_table: Callable[..., Any], finish: Any
) -> None:
    rows = [make_row(n, clip_id=f"yt:{n:011d}@0", source_id=f"yt:{n // 4}") for n in range(200)]
    path = tmp_path / shard_path("audio", "tones", "train", 0, 1)
    finish(tmp_path, [write_shard(path, [pa.Table.from_pylist(rows, schema("clip.v1").arrow())])])
    settings = Batching(shortest=0, captions="none", hold_out=0.2)
    sides = [Plan.of(Clips(tmp_path), replace(settings, held_out=held)) for held in (False, True)]
    seen = [{clip // 4 for clip in _clips(_epochs(plan, 1)[0])} for plan in sides]
    assert seen[0] | seen[1] == set(range(50))
    assert not seen[0] & seen[1]
    assert 4 <= len(seen[1]) <= 16
    assert (
        sides[0].num_items + sides[1].num_items == 200 == sides[0].num_items + sides[0].left_out["held out"]
    )
