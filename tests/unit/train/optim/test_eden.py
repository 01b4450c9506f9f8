"""Eden's rates, against the reference table and its own limits."""

import json
import math
from pathlib import Path

import pytest

from captionstew.errors import RecipeError
from captionstew.train.optim.eden import Eden, Eden2, Eden3
from captionstew.train.optim.schedules import Rates


def test_eden_and_eden2_give_the_reference_table(golden: Path) -> None:
    facts = json.loads((golden / "scaled_adam_a.json").read_text())
    steps, epochs, warm_up, start = (
        facts["eden"][key] for key in ("lr_batches", "lr_epochs", "warmup_batches", "warmup_start")
    )
    rates: dict[str, Rates] = {
        "Eden": Eden(steps, epochs, warm_up, start),
        "Eden2": Eden2(steps, warm_up, start),
    }
    for name, step, epoch, rate in facts["schedule_table"]:
        assert rates[name].rate(step, epoch) == pytest.approx(rate, abs=1e-6), (name, step, epoch)
    assert {row[0] for row in facts["schedule_table"]} == set(rates)


def test_eden3_is_eden_s_slope_with_epochs_counted_in_steps() -> None:
    rates = Eden3(steps=100, epochs=2, steps_per_epoch=1000, warm_up=0)
    assert rates.rate(0) == 1.0
    step = 500
    expected = ((step**2 + 100**2) * (step**2 + 2000**2) / (100**2 * 2000**2)) ** -0.25
    assert rates.rate(step, epoch=7) == pytest.approx(expected)
    late = math.log2(rates.rate(10**7) / rates.rate(2 * 10**7))
    assert late == pytest.approx(1.0, abs=1e-3), "far out the rate falls with 1 / step"


def test_eden3_without_epochs_is_refused() -> None:
    with pytest.raises(RecipeError, match="steps_per_epoch"):
        Eden3(steps_per_epoch=0)


def test_defaults_are_icefall_s() -> None:
    assert Eden().rate(500) == pytest.approx((1 + (500 / 7500) ** 2) ** -0.25)
    assert Eden().rate(0) == 0.5
    assert Eden().rate(250) == pytest.approx(0.75, rel=1e-3)
