"""Tables fit the terminal and stay aligned."""

from captionstew.cli.table import Column, cell_width, cut, table

COLUMNS = (Column("name"), Column("number", right=True, spare=1), Column("text", least=6))
ROWS = [["a", "1", "some words that go on"], ["bcd", "1,000", "few"]]


def test_columns_are_aligned_and_numbers_stand_right() -> None:
    assert table(COLUMNS, ROWS) == [
        "  name  number  text",
        "  a          1  some words that go on",
        "  bcd    1,000  few",
    ]


def test_the_text_is_cut_before_a_column_goes() -> None:
    assert table(COLUMNS, ROWS, 24)[1] == "  a          1  some wo\u2026"
    assert table(COLUMNS, ROWS, 20)[1] == "  a     some words\u2026"


def test_no_line_is_wider_than_the_terminal() -> None:
    for width in range(14, 60):
        assert max(cell_width(line) for line in table(COLUMNS, ROWS, width)) <= width


def test_wide_and_combining_characters_count_as_they_are_drawn() -> None:
    assert cell_width("\u96e8e\u0301") == 3
    assert cut("\u96e8\u96e8\u96e8", 4) == "\u96e8\u2026"


def test_a_table_without_titles_has_no_title_line() -> None:
    assert table((Column(""), Column("")), [("a", "b")]) == ["  a  b"]
