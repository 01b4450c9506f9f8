"""Charts: readable, themed, the same each time."""

from xml.etree import ElementTree

import pytest

from captionstew.report.charts import Series, bars, chart, histogram
from captionstew.report.html import Html


@pytest.fixture(params=["histogram", "log", "bars"])
def drawn(request: pytest.FixtureRequest) -> Html:
    return draw(request.param)


def draw(kind: str) -> Html:
    if kind == "bars":
        return bars(
            ["read & <merge>", "a name that is much too long"],
            [[3, 4], [0, 1]],
            ["3", "<5>"],
            across="clips",
            label="Bars <&>",
        )
    edges = [0.5, 1, 2, 4, 8] if kind == "log" else [0, 1, 2, 3, 4]
    series = [Series("now", [1, 2, 3, 4]), Series("before", [4, 3, 2, 1])]
    return histogram(
        edges, series, across="seconds", up="share <of> clips", label="Lengths <&>", log=kind == "log"
    )


def test_a_chart_is_an_image_with_a_name_and_labelled_axes(drawn: Html) -> None:
    root = ElementTree.fromstring(drawn)
    assert root.get("role") == "img"
    assert "<&>" in (root.get("aria-label") or "")
    words = " ".join(node.text or "" for node in root.iter("text"))
    assert "clips" in words
    assert any(number in words for number in ("0", "1"))


def test_a_chart_takes_its_colours_from_the_page_and_brings_no_style(drawn: Html) -> None:
    root = ElementTree.fromstring(drawn)
    for node in root.iter():
        assert not set(node.attrib) & {"style", "id"}
        assert not any("href" in name for name in node.attrib)
        for name in ("fill", "stroke"):
            assert node.get(name) in {None, "none"}, node.attrib
    assert {"fill-first", "fill-soft", "stroke-line"} <= {
        word for node in root.iter() for word in node.get("class", "").split()
    }


@pytest.mark.parametrize("kind", ["histogram", "log", "bars"])
def test_the_same_numbers_are_the_same_bytes(kind: str) -> None:
    assert draw(kind) == draw(kind)


def test_bars_are_as_long_as_their_numbers() -> None:
    root = ElementTree.fromstring(bars(["a", "b"], [[10, 5]], ["10", "5"], across="clips", label="Bars"))
    widths = []
    for node in root.iter("path"):
        if node.get("class") == "fill-first":
            xs = [float(part) for part in node.get("d", "").replace("z", "").split() if part not in "ML"][::2]
            widths.append(max(xs) - min(xs))
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)


def test_a_table_stands_behind_or_beside_each_chart() -> None:
    behind = chart("Title", Html("<svg></svg>"), Html("<table></table>"))
    assert behind.index("<details>") < behind.index("<table>")
    assert "<details>" not in chart("Title", Html("<svg></svg>"), Html("<table></table>"), beside=True)


def test_pictures_beside_each_other_share_an_axis_where_it_is_given() -> None:
    edges, few, many = [0.0, 1.0, 2.0], Series("few", [1, 9]), Series("many", [5, 5])
    alone = [histogram(edges, [one], across="s", up="share", label="x") for one in (few, many)]
    shared = [histogram(edges, [one], across="s", up="share", label="x", top=90) for one in (few, many)]
    assert _percents(shared[0]) == _percents(shared[1])
    assert _percents(alone[0]) != _percents(alone[1])


def _percents(drawn: Html) -> list[str]:
    return [
        node.text or "" for node in ElementTree.fromstring(drawn).iter() if (node.text or "").endswith("%")
    ]
