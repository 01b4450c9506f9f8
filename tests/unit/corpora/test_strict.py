"""TOML into dataclasses: strict about keys and types, with a place and a hint."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from captionstew.corpora.strict import build, merged
from captionstew.errors import CorpusError


@dataclass(frozen=True)
class Inner:
    name: str
    kind: Literal["one", "two"] = "one"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    several: tuple[Inner, ...] = ()
    hours: float | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    date: str = ""
    others: tuple[str, ...] = field(default=(), metadata={"key": "with"})


def test_tables_become_dataclasses() -> None:
    table = {"inner": {"name": "a"}, "several": [{"name": "b", "kind": "two"}], "hours": 3, "with": "x",
             "words": {"yes": "no"}, "date": datetime.date(2026, 1, 2)}  # fmt: skip
    built = build(Outer, table, "x.toml")
    assert built == Outer(Inner("a"), (Inner("b", "two"),), 3.0, {"yes": "no"}, "2026-01-02", ("x",))


def test_unknown_is_null() -> None:
    assert build(Outer, {"inner": {"name": "a"}, "hours": "unknown"}, "x.toml").hours is None


@pytest.mark.parametrize(
    ("table", "where", "hint"),
    [
        ({"inner": {"nam": "a"}}, "x.toml, inner", "did you mean `name`?"),
        ({"iner": {}}, "x.toml", "did you mean `inner`?"),
        ({"inner": {"name": "a", "kind": "tow"}}, "x.toml, inner, kind", "did you mean `two`?"),
        ({"inner": {"name": 3}}, "x.toml, inner, name", "write a str"),
        ({"inner": {"name": "a"}, "hours": True}, "x.toml, hours", "write a float"),
        ({"inner": "a"}, "x.toml, inner", "write it as a [table]"),
        ({}, "x.toml", "add it to the facts"),
    ],
)
def test_mistakes_are_named_with_place_and_remedy(table: dict[str, Any], where: str, hint: str) -> None:
    with pytest.raises(CorpusError) as error:
        build(Outer, table, "x.toml")
    assert (error.value.where, error.value.hint) == (where, hint)


def test_tables_merge_in_depth_and_lists_are_replaced() -> None:
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert merged(base, {"a": {"c": {"f": 3}}, "e": [2]}) == {"a": {"b": 1, "c": {"d": 2, "f": 3}}, "e": [2]}
    assert base == {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
