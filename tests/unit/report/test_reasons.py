"""What the reasons of a report mean."""

import pytest

from captionstew.enrich.guard import REASONS
from captionstew.report.reasons import explained


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_guard_is_explained(reason: str) -> None:
    assert explained([reason]) is not None


def test_reasons_are_listed_once_in_order_and_others_left_out() -> None:
    found = explained(["silent", "duration", "silent", "no such <reason>"])
    assert found is not None
    assert found.count("<dt>") == 2
    assert found.index("<dt>duration") < found.index("<dt>silent")
    assert explained(["no such reason"]) is None
