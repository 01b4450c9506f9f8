"""Numbers as the page has them."""

import pytest

from captionstew.report import figures


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (figures.count(9_214_332), "9,214,332"),
        (figures.about(832), "832"),
        (figures.about(41_234), "41.2 k"),
        (figures.about(9_214_332), "9.21 M"),
        (figures.hours(0.042252), "0.042"),
        (figures.hours(0.6), "0.60"),
        (figures.hours(37.14), "37.1"),
        (figures.hours(36_900.4), "36,900"),
        (figures.size(980), "980 B"),
        (figures.size(999_600), "1.00 MB"),
        (figures.share(0, 7), "0 %"),
        (figures.share(1, 100_000), "<0.1 %"),
        (figures.share(999, 1000), ">99 %"),
        (figures.share(7, 7), "100 %"),
        (figures.span(0.0), "0.0 s"),
        (figures.span(0.04), "<0.1 s"),
        (figures.span(59.7), "1 min 00 s"),
        (figures.span(7740), "2 h 09 min"),
        (figures.plural(1, "clip"), "1 clip"),
        (figures.plural(2, "corpus"), "2 corpora"),
        (figures.seconds(10.0), "10"),
        (figures.seconds(0.853), "0.85"),
        (figures.license_name("LicenseRef-YouTube"), "YouTube"),
    ],
)
def test_a_number_is_rounded_as_it_is_read(said: str, shown: str) -> None:
    assert said == shown
