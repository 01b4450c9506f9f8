"""No text from outside can add markup to a document."""

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from captionstew.publish.markdown import (
    address,
    attribute,
    bullets,
    code,
    fence,
    hours,
    link,
    share,
    size,
    text,
    words,
)
from captionstew.publish.markdown import table as made_table

HOSTILE = [
    "a | b | c", "two\nlines", "## heading", "`code` and ``more``", "<script>alert(1)</script>",
    "<img src=x onerror=y>", "[a](javascript:b)", "![a](http://evil.example)",
    "https://evil.example and www.evil.example",
    "**bold** _soft_ ~~x~~", "&lt;b&gt;", "a\\|b", "$$x$$", "\u202egnp.exe", "- item", "1. item", "x\x00y\x1bz",
    '"><b>', "@somebody",
]  # fmt: skip


class Tags(HTMLParser):
    """The tags of a page, where its links go, and the words."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def rendered(markdown: str) -> Tags:
    return Tags(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("make", [text, code])
def test_a_cell_stays_a_cell_and_its_words_stay_words(value: str, make: object) -> None:
    assert callable(make)
    page = rendered(made_table(("one", "two"), [(make(value), "b"), ("c", "d")]))
    assert page.tags.count("td") == 4
    assert not set(page.tags) & {"script", "img", "a", "strong", "em", "del", "h2", "b", "s"}
    plain = "".join(page.words).replace("\n", "")
    for word in ("onerror=y", "javascript:b", "evil.example", "alert(1)"):
        assert word not in value or word in plain


@pytest.mark.parametrize("value", HOSTILE)
def test_a_link_goes_only_where_it_says(value: str) -> None:
    page = rendered(link(value, "https://example.org/a b?(c)"))
    assert page.tags == ["p", "a"]
    assert rendered(link(value, "javascript:alert(1)")).tags == ["p"]
    assert '"' not in attribute(value)


def test_addresses_are_http_or_nothing() -> None:
    assert address("https://example.org/x_(y)|z") == "https://example.org/x_%28y%29%7Cz"
    for bad in (
        "javascript:alert(1)",
        "data:text/html,x",
        "http://",
        "//example.org",
        "https://a\nb",
        "",
        None,
        "http://[",
    ):
        assert address(bad) == ""


def test_a_fence_outlasts_the_fences_inside() -> None:
    page = rendered(fence("```\n<b>\n````\nend", "text"))
    assert page.tags == ["pre", "code"]
    assert "````" in "".join(page.words)


def test_nothing_is_said_to_be_nothing() -> None:
    assert made_table(("a", "b:"), []) == "none"
    assert bullets([]) == "none"
    assert made_table(("a", "note", "b:"), [("x", "", "1")]) == "| a | b |\n| --- | ---: |\n| x | 1 |"


def test_a_cell_of_several_lines_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="several lines"):
        made_table(("a",), [("x\ny",)])


def test_numbers_read_as_people_write_them() -> None:
    assert [hours(n) for n in (0, 0.001, 0.6, 37.1, 2769.4)] == [
        "0.00",
        "under 0.01",
        "0.60",
        "37.1",
        "2,769",
    ]
    assert [size(n) for n in (980, 16_600, 16_600_000, 3.2e12)] == [
        "980&nbsp;B", "16.6&nbsp;kB", "16.6&nbsp;MB", "3.2&nbsp;TB",
    ]  # fmt: skip
    assert [share(*n) for n in ((0, 5), (1, 5000), (1, 250), (999, 1000), (5, 5))] == [
        "0 %", "under 0.1 %", "0.4 %", "over 99 %", "100 %",
    ]  # fmt: skip


def test_our_own_sentences_keep_their_code_and_nothing_else() -> None:
    assert words("`-` and `a|b` begin, *not* <b>") == (
        "`-` and <code>a&#124;b</code> begin, &#42;not&#42; &#60;b&#62;"
    )
    assert rendered(words("an `open tick and <script>")).tags == ["p", "code"]
