"""The words that changed."""

from captionstew.report.words import changed, closest


def test_words_that_are_not_in_the_other_are_marked_on_either_side() -> None:
    before, after = changed("A dog barks, rain.", "A small dog barks twice, rain.")
    assert before == "A dog barks, rain."
    assert after == "A <ins>small</ins> dog barks <ins>twice</ins>, rain."
    before, after = changed("A cat barks", "a dog barks")
    assert (before, after) == ("A <del>cat</del> barks", "a <ins>dog</ins> barks")


def test_marks_hold_no_markup_of_the_texts() -> None:
    _, after = changed("rain", "rain <script>alert(1)</script>")
    assert "<script" not in after
    assert "&lt;<ins>script" in after


def test_a_caption_is_compared_with_the_one_that_it_resembles() -> None:
    originals = ["Rain falls on a roof", "A dog barks twice"]
    assert closest("A small dog barks", originals) == 1
    assert closest("Rain falls", originals) == 0
    assert closest("nothing in common", ["a", "b"]) == 0
    assert closest("x", []) is None


def test_nothing_is_lost_between_the_marks() -> None:
    import re

    old, new = "It's a well-known   tune \u2014 played_twice!", "It is an unknown tune, played; twice?"
    for text, marked in zip((old, new), changed(old, new), strict=True):
        assert re.sub(r"</?(ins|del)>", "", marked).replace("&#x27;", "'") == text
