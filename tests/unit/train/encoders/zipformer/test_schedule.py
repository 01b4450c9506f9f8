"""Schedules over the batch count, and randomness that can be saved and drawn again."""

import copy
import json

import pytest
import torch

from captionstew.train.encoders.zipformer.schedule import Chance, Schedule


@pytest.mark.parametrize(
    ("count", "value"),
    [(-5, 0.2), (0, 0.2), (2000, 0.125), (4000, 0.05), (10000, 0.025), (16000, 0.0), (1e9, 0.0)],
)
def test_a_schedule_is_linear_between_its_points_and_constant_outside(count: float, value: float) -> None:
    assert Schedule((0, 0.2), (4000, 0.05), (16000, 0.0)).at(count) == pytest.approx(value)


def test_a_schedule_of_one_point_is_constant_and_disordered_points_are_refused() -> None:
    assert [Schedule((7, 3.0)).at(count) for count in (0, 7, 8)] == [3.0] * 3
    for points in (((5, 1.0), (5, 2.0)), ((5, 1.0), (4, 2.0))):
        with pytest.raises(AssertionError):
            Schedule(*points)


def test_values_follow_the_batch_count() -> None:
    chance = Chance()
    chance.batch_count = 10
    assert chance.value(Schedule((0, 0.0), (20, 1.0))) == 0.5
    assert chance.value(3) == 3.0


def sample(chance: Chance) -> list[float]:
    tensors = [chance.rand((2, 3), "cpu"), chance.rand((4,), torch.device("cpu"), torch.float64)]
    return [float(chance.flip(0.5)) for _ in range(20)] + [x for t in tensors for x in t.flatten().tolist()]


def test_coins_fall_as_often_as_they_should() -> None:
    chance = Chance(3)
    assert sum(chance.flip(0.2) for _ in range(5000)) == pytest.approx(1000, abs=100)
    assert not any(chance.flip(0.0) for _ in range(100))
    assert all(chance.flip(1.0) for _ in range(100))


def test_equal_seeds_draw_equal_numbers_and_nothing_global_is_drawn() -> None:
    before = torch.get_rng_state()
    assert sample(Chance(1)) == sample(Chance(1)) != sample(Chance(2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("used", [False, True])
def test_a_saved_state_continues_in_another_process(used: bool) -> None:
    chance = Chance(5)
    if used:
        sample(chance)
        chance.report(3, torch.tensor(False))
        chance.batch_count = 10
        chance.batch_count = 12.5
        chance.report(0, torch.tensor(False))
    saved = json.dumps(chance.state())
    other = Chance(7)
    if not used:
        sample(other)
    other.restore(json.loads(saved))
    assert [sample(other), sample(other)] == [sample(chance), sample(chance)]
    assert other.batch_count == chance.batch_count
    assert other.was_over(3) is chance.was_over(3) is (not used)
    for each in (chance, other):
        each.batch_count = 13
        each.batch_count = 14
        assert each.was_over(0) is (not used)


def test_a_replay_draws_the_same_and_then_goes_on_as_if_it_had_not_been() -> None:
    chance, undisturbed = Chance(5), Chance(5)
    sample(chance), sample(undisturbed)
    draws = chance.draws()
    first = sample(chance)
    assert sample(undisturbed) == first
    assert sample(undisturbed) == sample(chance)
    with chance.replay(draws):
        assert sample(chance) == first
        chance.report(1, torch.tensor(False))
    assert sample(chance) == sample(undisturbed)
    chance.batch_count = 1
    chance.batch_count = 2
    assert not chance.was_over(1), "a report of a replayed pass was lost"


def test_a_replay_that_ends_early_goes_on_all_the_same() -> None:
    chance, undisturbed = Chance(5), Chance(5)
    draws = chance.draws()
    sample(chance), sample(undisturbed)

    def stopped() -> None:
        with chance.replay(draws):
            chance.flip(0.5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert sample(chance) == sample(undisturbed)


def test_a_new_seed_decides_all_draws_to_come_and_keeps_what_was_reported() -> None:
    chance = Chance(5)
    sample(chance)
    chance.report(0, torch.tensor(False))
    chance.reseed(1)
    assert sample(chance) == sample(Chance(1))
    chance.batch_count = 1
    chance.batch_count = 2
    assert not chance.was_over(0)


def test_reports_count_from_the_step_after_the_next() -> None:
    chance = Chance()
    chance.report(0, torch.tensor(False))
    assert chance.was_over(0)
    chance.batch_count = 1
    assert chance.was_over(0)
    chance.batch_count = 2
    assert not chance.was_over(0)


def test_a_copied_module_holds_its_own_randomness() -> None:
    chance = Chance(5)
    sample(chance)
    twin = copy.deepcopy(chance)
    assert twin.enrol() == chance.enrol()
    first = sample(chance)
    assert sample(twin) == first
