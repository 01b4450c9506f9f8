"""Annotation columns as clip columns: templates, and the ways lists are written."""

import polars as pl
import pytest

from captionstew.corpora.columns import labels, needed, template, value
from captionstew.corpora.facts import Labels


def listed(labeled: Labels, data: list[object]) -> list[list[str]]:
    table = pl.DataFrame({"tags": data})
    return table.select(labels([labeled], table.schema).alias("all"))["all"].to_list()


def test_values_are_columns_or_templates() -> None:
    table = pl.DataFrame({"a": ["x", None], "b": [1, 2]})
    assert table.select(value("b")).to_series().to_list() == ["1", "2"]
    assert table.select(value("{a}-{b}")).to_series().to_list() == ["x-1", None]
    assert table.select(value("")).item(0, 0) is None
    assert (needed("{a}-{b}"), needed("a"), needed("")) == (("a", "b"), ("a",), ())


def test_starts_are_padded_with_zeros() -> None:
    table = pl.DataFrame({"start": [30, None]}, schema={"start": pl.Int64})
    texts = table.select(template("_{start:06d}", {"start": pl.col("start")})).to_series().to_list()
    assert texts == ["_000030", None]


@pytest.mark.parametrize(
    ("labeled", "data", "expected"),
    [
        (Labels("tags", "separated", ";"), ["a; b;;", "", None], [["a", "b"], [], []]),
        (Labels("tags", "value", prefix="fold-"), ["1", None], [["fold-1"], []]),
        (Labels("tags", "list"), [["a", None, " b"], [], None], [["a", "b"], [], []]),
        (Labels("tags", "python-list"), ["['slow', \"player's piano\"]", "[]", r"['it\'s']", None],
         [["slow", "player's piano"], [], ["it's"], []]),
    ],
)  # fmt: skip
def test_labels_are_read_however_they_are_written(
    labeled: Labels, data: list[object], expected: list[list[str]]
) -> None:
    assert listed(labeled, data) == expected


def test_labels_of_absent_columns_are_none_and_never_null() -> None:
    table = pl.DataFrame({"a": ["x"]})
    both = labels([Labels("a"), Labels("tags")], table.schema)
    assert table.select(both).item().to_list() == ["x"]
    assert table.select(labels([], table.schema)).item().to_list() == []
