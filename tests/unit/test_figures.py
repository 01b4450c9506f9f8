"""Numbers as people read them."""

import pytest

from captionstew import figures


@pytest.mark.parametrize(
    ("number", "text"), [(None, "?"), (0, "0"), (99_999, "99,999"), (402_958, "403 k"), (4_023_990, "4.02 M")]
)
def test_counts(number: int | None, text: str) -> None:
    assert figures.count(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(980, "980 B"), (16_595_093, "16.6 MB"), (999_600, "1.00 MB"), (3.2e12, "3.20 TB")]
)
def test_sizes(number: float, text: str) -> None:
    assert figures.size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (52.2, "52 s"), (242, "4:02"), (7_740, "2h 09m"), (273_600, "3d 04h"), (59.7, "60 s")],
)
def test_spans(seconds: float, text: str) -> None:
    assert figures.span(seconds) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0 %"), (1, "<0.1 %"), (31, "0.3 %"), (9_999, ">99 %"), (10_000, "100 %")]
)
def test_a_share_is_never_all_or_nothing_by_rounding(part: int, text: str) -> None:
    assert figures.share(part, 10_000) == text


def test_reasons_come_by_weight() -> None:
    assert figures.reasons({"silent": 2, "missing": 51_305, "id": 0}) == "missing 51,305, silent 2"


def test_several_licenses_are_counted() -> None:
    assert figures.licenses(["LicenseRef-YouTube"] * 2) == "YouTube"
    assert figures.licenses(["CC0-1.0", "CC-BY-4.0"]) == "2 licenses"
    assert figures.plural(2, "corpus") == "2 corpora"
