"""Shares of the corpora."""

import pytest

from captionstew.errors import StewError
from captionstew.shards.mixture import Mixture

SECONDS = {"big": 8_000.0, "small": 1_000.0}
ITEMS = {"big": 800, "small": 200}  # of 10 and of 5 seconds


def _shares(mixture: Mixture) -> dict[str, float]:
    draws = mixture.draws(SECONDS, ITEMS)
    seconds = {name: count * SECONDS[name] / ITEMS[name] for name, count in draws.items()}
    assert abs(sum(draws.values()) - 1_000) <= 1
    return {name: length / sum(seconds.values()) for name, length in seconds.items()}


def test_by_hours_every_clip_comes_once_a_pass() -> None:
    assert Mixture().draws(SECONDS, ITEMS) == ITEMS


def test_a_temperature_flattens_the_shares() -> None:
    assert _shares(Mixture(temperature=3.0))["big"] == pytest.approx(2 / 3, abs=0.002)  # 8 ** (1 / 3) to 1
    assert _shares(Mixture(temperature=float("inf")))["big"] == pytest.approx(1 / 2, abs=0.002)


def test_weights_are_shares_of_seconds_and_zero_leaves_a_corpus_out() -> None:
    assert _shares(Mixture(weights={"big": 1, "small": 3}))["small"] == pytest.approx(3 / 4, abs=0.002)
    assert Mixture(weights={"big": 0, "small": 3}).draws(SECONDS, ITEMS) == {"small": 1_000}


@pytest.mark.parametrize(
    "weights", [{"big": 1}, {"big": 1, "tiny": 1}, {"big": -1, "small": 1}, {"big": 0, "small": 0}]
)
def test_weights_that_do_not_fit_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(StewError, match=r"the weights do not fit.*for each of: big, small"):
        Mixture(weights=weights).draws(SECONDS, ITEMS)


def test_a_temperature_of_nought_is_refused() -> None:
    with pytest.raises(StewError, match="a temperature of 0"):
        Mixture(temperature=0).draws(SECONDS, ITEMS)
