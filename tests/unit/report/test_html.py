"""HTML: nothing of others becomes markup."""

import pytest

from captionstew.report.html import Html, element, join, link, table, text


def test_text_is_escaped_once_and_markup_stays() -> None:
    assert text("<b> & \"'") == "&lt;b&gt; &amp; &quot;&#x27;"
    assert text(text("<b>")) == "&lt;b&gt;"
    assert element("p", "<i>", element("b", 1.5), None) == "<p>&lt;i&gt;<b>1.5</b></p>"
    assert join("<", Html("<br>"), by=", ") == "&lt;, <br>"


def test_what_no_parser_takes_or_turns_a_line_around_is_replaced() -> None:
    assert text("a\x00b\u202ec\x1b\ud800") == "a\ufffdb\ufffdc\ufffd\ufffd"
    text("a\ud800b").encode()


def test_attributes_are_escaped_left_out_or_bare_and_never_act() -> None:
    assert element("a", href='"><script>', hidden=True, title=None, class_="x", aria_label="y") == (
        '<a href="&quot;&gt;&lt;script&gt;" hidden class="x" aria-label="y"></a>'
    )
    for name in ("onclick", "style"):
        with pytest.raises(AssertionError):
            element("p", **{name: "x"})


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "https://a b", "//x", "", 'https://x" y="', "file:///etc"],
)
def test_only_pages_of_the_web_are_linked(url: str) -> None:
    assert link("name <", url) == "name &lt;"


def test_a_link_tells_the_other_side_nothing() -> None:
    assert 'rel="noopener noreferrer"' in link("page", "https://example.org/a?b=1&c=2")
    assert "b=1&amp;c=2" in link("page", "https://example.org/a?b=1&c=2")


def test_a_table_has_a_caption_and_heads_of_columns_and_rows() -> None:
    made = table(["name", "clips"], [["<clotho>", "12"]], caption="Clips", numbers=[1])
    assert '<th scope="col">name</th><th scope="col" class="number">clips</th>' in made
    assert '<th scope="row">&lt;clotho&gt;</th><td class="number">12</td>' in made
    assert "<caption" in made
    assert 'aria-label="Clips"' in made
