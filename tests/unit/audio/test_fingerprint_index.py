"""The search among many fingerprints finds what comparing all of them would, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from captionstew.audio import fingerprint_index, fingerprint_order
from captionstew.audio.fingerprint import distance, same_sound
from captionstew.audio.fingerprint_index import Matches, Prints
from captionstew.audio.fingerprint_order import ORDERS, neighbours, once
from captionstew.audio.fingerprint_sources import Sources, Stored
from captionstew.audio.fingerprint_words import SILENT, Words

Random = np.random.Generator


def words(random: Random, count: int = 60) -> Words:
    """Words that change in time as slowly as those of sounds do: in a quarter of the bits."""
    flips = random.integers(0, 2**32, (2, count), np.uint32)
    changes = flips[0] & flips[1]
    changes[0] = random.integers(1, 2**32)
    return np.maximum(np.bitwise_xor.accumulate(changes), 1).astype(np.uint32)


def worn(print_: Words, random: Random, share: float = 0.06) -> Words:
    """The same with this share of its bits wrong."""
    wrong = np.packbits(random.random((len(print_), 32)) < share, axis=1).view(">u4").reshape(-1)
    return np.where(print_ == SILENT, SILENT, np.maximum(print_ ^ wrong.astype(np.uint32), 1)).astype(
        np.uint32
    )


def rows(found: Matches) -> list[tuple[int, int]]:
    """Pairs of places."""
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.fixture
def random() -> Random:
    """The same numbers in every test."""
    return np.random.default_rng(11)


@pytest.fixture
def several(random: Random) -> list[Words]:
    """Forty clips; the last ten are copies of the first: worn, cut at either end, within silence."""
    first = [words(random, int(random.integers(12, 90))) for _ in range(30)]
    quiet = np.zeros(20, np.uint32)
    changes: list[Callable[[Words], Words]] = [
        lambda w: w,
        lambda w: w[8:],
        lambda w: w[:-4],
        lambda w: np.concatenate([quiet, w, quiet]),
    ]
    return first + [worn(changes[n % 4](first[n]), random) for n in range(10)]


def test_it_finds_what_comparing_every_pair_finds(several: list[Words]) -> None:
    every = [pair for pair in combinations(range(40), 2) if same_sound(several[pair[0]], several[pair[1]])]
    found = Prints.of(several).pairs_within()
    assert rows(found) == every
    assert {(n, n + 30) for n in range(10)} <= set(every)
    assert found.distance == pytest.approx([distance(several[a], several[b]) for a, b in every], abs=1e-6)


def test_a_look_up_in_another_set_finds_the_same_pairs(several: list[Words]) -> None:
    copies, others = Prints.of(several[30:]), Prints.of(several[:30])
    assert rows(copies.matches(others)) == [(n, n) for n in range(10)]
    assert rows(others.matches(copies)) == [(n, n) for n in range(10)]


def test_pairs_of_one_set_are_no_matches_with_another(several: list[Words], random: Random) -> None:
    assert rows(Prints.of(several).matches(Prints.of([words(random)]))) == []


@pytest.mark.parametrize("reach", [1 << 26, 400])
@pytest.mark.parametrize("count", [1, 3, 16, 60])
def test_however_many_parts_there_are_the_same_is_found(several: list[Words], count: int, reach: int) -> None:
    whole = Prints.of(several)
    parted = replace(whole, part=len(whole.words) // count + 1, reach=reach)
    found, expected = parted.pairs_within(), whole.pairs_within()
    assert rows(found) == rows(expected)
    assert np.array_equal(found.distance, expected.distance)
    assert (len(list(parted.pairs())) > 1) == (reach == 400)


def test_however_few_likely_pairs_are_read_at_once_the_same_is_found(
    several: list[Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Prints.of(several).pairs_within()
    monkeypatch.setattr(fingerprint_index, "_PILE", 3)
    monkeypatch.setattr(fingerprint_index, "_PAIRS", 2)
    found = Prints.of(several).pairs_within()
    assert rows(found) == rows(expected)
    assert np.array_equal(found.distance, expected.distance)


@pytest.mark.parametrize("count", [3, 16, 60])
def test_likely_pairs_do_not_depend_on_parts(several: list[Words], count: int) -> None:
    sources = Sources((Prints.of(several).words,), Prints.of(several).starts)
    whole, pieces = list(neighbours(sources, 1 << 24)), list(neighbours(sources, len(sources) // count + 1))
    assert len(pieces) > count * len(whole) * 0.7 > len(ORDERS)
    assert np.array_equal(once(np.concatenate(whole)), once(np.concatenate(pieces)))


def test_a_part_too_large_to_be_numbered_finds_the_same(
    several: list[Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = Sources((Prints.of(several).words,), Prints.of(several).starts)
    expected = np.concatenate(list(neighbours(sources, 600)))
    monkeypatch.setattr(fingerprint_order, "_NUMBERED", 10)
    assert np.array_equal(np.concatenate(list(neighbours(sources, 600))), expected)


def test_words_may_lie_in_a_file(several: list[Words], tmp_path: Path) -> None:
    whole = Prints.of(several)
    whole.words[:].tofile(tmp_path / "words")
    stored = replace(whole, words=Stored(tmp_path / "words"), folder=tmp_path)
    assert rows(stored.pairs_within()) == rows(whole.pairs_within())
    assert stored.words[3:7].tolist() == whole.words[3:7].tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["words"]
    assert rows(stored.matches(Prints.of(several[30:]))) == rows(whole.matches(Prints.of(several[30:])))


@pytest.mark.parametrize("share", [0.03, 0.08, 0.13])
def test_copies_as_worn_as_real_ones_are_found_among_thousands(random: Random, share: float) -> None:
    first = [words(random) for _ in range(2000)]
    copies = [worn(print_[8:], random, share) for print_ in first[:200]]
    assert len(Prints.of(copies).matches(Prints.of(first))) >= 198


def test_short_clips_are_compared_by_few_words(random: Random) -> None:
    short = [words(random, 6) for _ in range(50)]
    assert rows(Prints.of(short).pairs_within()) == []
    assert rows(Prints.of(short).matches(Prints.of([worn(w, random, 0.02) for w in short]))) == [
        (n, n) for n in range(50)
    ]


def test_a_moment_in_common_is_not_enough(random: Random) -> None:
    jingle = words(random, 20)
    prints = [np.concatenate([words(random), jingle, words(random)]) for _ in range(20)]
    assert rows(Prints.of(prints).pairs_within()) == []


def test_an_end_that_is_another_s_beginning_is_not_enough(random: Random) -> None:
    passage = words(random, 20)
    one, other = np.concatenate([words(random), passage]), np.concatenate([passage, words(random)])
    assert rows(Prints.of([one, other]).pairs_within()) == []
    assert rows(Prints.of([passage, other]).pairs_within()) == [(0, 1)]


@pytest.mark.parametrize("half", [0x0000FFFF, 0xFFFF0000, 0x55555555, 0xAAAAAAAA])
def test_it_does_not_matter_which_bits_a_copy_has_wrong(random: Random, half: int) -> None:
    first = [words(random, 30) for _ in range(500)]
    wrong = [np.uint32(half) & worn(w, random, 0.3) | ~np.uint32(half) & w for w in first[:50]]
    assert len(Prints.of(wrong).matches(Prints.of(first))) >= 49


def test_a_sound_that_thousands_share_does_not_hide_a_copy(random: Random) -> None:
    common = words(random, 12)
    crowd = [np.concatenate([common, words(random, 40)]) for _ in range(1000)]
    found = Prints.of([*crowd, worn(crowd[500], random)]).pairs_within()
    assert rows(found) == [(500, 1000)]


def test_silent_and_empty_prints_match_nothing(random: Random) -> None:
    silent = [np.zeros(50, np.uint32)] * 3 + [np.empty(0, np.uint32)] * 3
    assert rows(Prints.of(silent).pairs_within()) == []
    assert rows(Prints.of([]).pairs_within()) == []
    assert rows(Prints.of([]).matches(Prints.of([words(random)] * 2))) == []
    assert rows(Prints.of([words(random)] * 2).matches(Prints.of([]))) == []


def test_keys_are_the_caller_s(random: Random) -> None:
    keys = np.array([70, 80], np.uint64)
    assert Prints.of([words(random), words(random)], keys).keys.tolist() == [70, 80]
    assert Prints.of([words(random)]).keys.tolist() == [0]
