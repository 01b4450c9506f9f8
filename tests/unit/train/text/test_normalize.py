import pytest

from captionstew.train.text.normalize import Normalize, normalize


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("none", 'A dog barks , then (softly) "woof" ;  rain | end.'),
        ("lower", 'a dog barks , then (softly) "woof" ;  rain | end.'),
        ("auden", "a dog barks then softly woof rain end"),
    ],
)
def test_a_caption_is_normalised_as_asked(how: Normalize, expected: str) -> None:
    assert normalize('A dog barks , then (softly) "woof" ;  rain | end.', how) == expected


def test_auden_keeps_apostrophes_and_hyphens() -> None:
    assert normalize("A bird's high-pitched call", "auden") == "a bird's high-pitched call"
