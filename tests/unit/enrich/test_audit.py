"""People's opinions against the guard: the arithmetic, and a sheet that is blind and harmless."""

import csv
from pathlib import Path

import polars as pl
import pytest

from captionstew.enrich.agreement import kappa, wilson
from captionstew.enrich.audit import audit
from captionstew.enrich.provenance import PROVENANCE
from captionstew.enrich.sheet import (
    COLUMNS,
    Line,
    Opinion,
    drawn,
    harmless,
    read_sheet,
    verdicts,
    write_sheet,
)
from captionstew.errors import BuildError, UsageError

YES, NO = Opinion(True), Opinion(False, "invented sound")


def test_kappa_is_that_of_the_textbook() -> None:
    # Cohen (1960) by the usual example: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: (0.7 - 0.5) / (1 - 0.5).
    one = [True] * 25 + [False] * 25
    other = [True] * 20 + [False] * 5 + [True] * 10 + [False] * 15
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(one, one) == 1.0
    assert kappa([True, False], [False, True]) == -1.0
    assert kappa([True, True], [True, True]) is None
    assert kappa([], []) is None
    assert kappa("aabbc", "aabcc") == pytest.approx((5 * 4 - (4 + 2 + 2)) / (25 - 8))


def test_wilsons_interval_is_that_of_the_textbook() -> None:
    assert wilson(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_an_error_is_what_most_people_call_one_and_each_reason_has_its_own() -> None:
    said = {
        "a": "kept",
        "b": "kept",
        "c": "kept",
        "d": "refusal",
        "e": "lost-event",
        "f": "lost-event",
        "g": "kept",
    }
    first = {"a": YES, "b": NO, "c": YES, "d": NO, "e": YES, "f": NO}
    second = {"a": YES, "b": YES, "c": YES, "d": NO, "e": YES, "f": NO}
    found = audit(said, [first, second])
    assert found.judged == 6
    (pair,) = found.pairs
    assert pair.captions == 6
    assert pair.alike == pytest.approx(5 / 6)
    assert pair.kappa == pytest.approx((6 * 5 - (3 * 4 + 3 * 2)) / (36 - 18))
    rates = {one.verdict: (one.captions, one.wrong) for one in found.rates}
    assert rates == {"kept": (3, 1), "rejected": (3, 1), "lost-event": (2, 1), "refusal": (1, 0)}
    assert (found.rates[0].low, found.rates[0].high) == wilson(1, 3)
    assert found.reasons == (("invented sound", 1),)
    third = audit(said, [first, second, second])
    assert {one.verdict: one.wrong for one in third.rates}["kept"] == 0
    assert len(third.pairs) == 3


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"), ("+1", "'+1"), ("-A dog", "'-A dog"), ("@SUM", "'@SUM"),
        ("\t=1", "'=1"), ("\uff1d1", "'\uff1d1"), ("a\nb\x00\x1b[31m", "a b [31m"), ("A dog.", "A dog."),
    ],
)  # fmt: skip
def test_no_cell_is_a_command_to_a_spreadsheet(cell: str, expected: str) -> None:
    assert harmless(cell) == expected


def test_a_sheet_comes_back_as_it_was_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "sheet.csv"
    write_sheet(
        path,
        [Line("k1", ("A dog, and more",), ("Dog", "Rain?"), "=cmd|' /C calc'!A0"), Line("k2", (), (), "b")],
    )
    rows = list(csv.DictReader(path.open(encoding="utf-8-sig")))
    assert tuple(rows[0]) == COLUMNS
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert read_sheet(path) == {}
    rows[0] |= {"right": " No ", "reason": "Invented  sound"}
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    assert read_sheet(path) == {"k1": Opinion(False, "invented sound")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [("row,right\nk1,maybe\n", "line 2: 'maybe' is neither"), ("a,b\n1,2\n", "no sheet"), ("", "no sheet")],
)
def test_what_is_no_sheet_is_told(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(UsageError, match=problem):
        read_sheet(tmp_path / "s.csv")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """Three hundred captions of two corpora, one in three rejected, and the shards that they are of."""
    rows = [
        {
            "key": f"{n * 2654435761 % 2**32:032x}", "clip_id": f"c:{n}", "corpus": "ab"[n % 5 == 0],
            "text": f"text {n}", "certain": ["Dog"], "possible": ["Rain"],
            "verdict": "kept" if n % 3 else ("refusal" if n % 2 else "cut"),
        }
        for n in range(300)
    ]  # fmt: skip
    (tmp_path / "enrich").mkdir()
    pl.DataFrame(rows, schema=PROVENANCE).write_parquet(tmp_path / "enrich" / "provenance.parquet")
    captions = [
        [{"text": f"original {n}", "source": "a"}, {"text": f"text {n}", "source": "llm"}] for n in range(300)
    ]
    (tmp_path / "data" / "audio" / "a").mkdir(parents=True)
    shard = pl.DataFrame({"clip_id": [f"c:{n}" for n in range(300)], "captions": captions})
    shard.write_parquet(tmp_path / "data" / "audio" / "a" / "train-0.parquet")
    return tmp_path


def test_rows_are_drawn_by_corpus_and_kind_in_proportion_the_same_each_time(build: Path) -> None:
    lines = drawn(build, 40)
    assert lines == drawn(build, 40)
    said = verdicts(build, [line.row for line in lines])
    assert sum(verdict == "kept" for verdict in said.values()) == 30
    number = {line.row: int(line.after.split()[1]) for line in lines}
    assert sum(n % 5 == 0 for n in number.values()) == 8
    assert all(line.before == (f"original {number[line.row]}",) for line in lines)
    assert all(line.events == ("Dog", "Rain?") for line in lines)
    order = [said[line.row] == "kept" for line in lines]
    assert order not in (sorted(order), sorted(order, reverse=True))  # their order tells nothing
    assert {line.row for line in drawn(build, 20)} < {line.row for line in lines}
    assert len(drawn(build, 999)) == 300


def test_a_row_of_another_build_and_a_build_without_captions_are_told(build: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not of this build"):
        verdicts(build, ["0" * 31 + "x"])
    with pytest.raises(BuildError, match="no generated captions"):
        drawn(tmp_path / "nothing", 5)
