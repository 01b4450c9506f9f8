"""Repair: what is wrong only on the surface is set right; everything else stays as it is."""

import pytest

from captionstew.enrich.repair import repair


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog barks.", "A dog barks."),
        ("  A dog\n barks  ", "A dog barks."),
        ('"A dog barks"', "A dog barks."),
        ("\u201cA dog barks.\u201d", "A dog barks."),
        ("Caption: A dog barks", "A dog barks."),
        ("**New caption:** A dog barks.", "A dog barks."),
        ("- A dog barks", "A dog barks."),
        ("1. A dog barks", "A dog barks."),
        ('{"caption": "A dog barks"}', "A dog barks."),
        ('```json\n{"caption": "A dog barks"}\n```', "A dog barks."),
        ("```\n\"Caption: 'A dog barks'\"\n```", "A dog barks."),
        ('{"caption": "A dog barks",}', "A dog barks."),
        ("{'caption': 'A dog barks'}", "A dog barks."),
        ("{'caption': \"A dog's bark\"}", "A dog's bark."),
        ("{'caption': 'A dog's bark'}", "A dog's bark."),
        ('{caption: "A dog barks."}', "A dog barks."),
        ('{"caption": "A dog barks"', "A dog barks."),
        ('{"caption": "A dog\nbarks"}', "A dog barks."),
        ('{"caption": "A \\"good\\" dog"', 'A "good" dog.'),
        ("{\u201ccaption\u201d: \u201cA dog barks\u201d}", "A dog barks."),
        ('```json\n{"caption": "A dog barks",\n}\n```', "A dog barks."),
        ("{'a': 'x', 'b': 'y'}", "{'a': 'x', 'b': 'y'}"),
        ('{"a": "x", "b": "y"', '{"a": "x", "b": "y"'),
        ('{"caption": 5}', '{"caption": 5}'),
        ('{"caption": ["A dog"]}', '{"caption": ["A dog"]}'),
        ("A dog barks , then stops .", "A dog barks, then stops."),
        ('Caption: "A dog barks"', "A dog barks."),
        ('A man says "stop" and "go".', 'A man says "stop" and "go".'),
        ('{"a": "x", "b": "y"}', '{"a": "x", "b": "y"}'),
        ('{"caption": "A dog', '{"caption": "A dog.'),
        ("Sure, here it is: A dog barks.", "Sure, here it is: A dog barks."),
        ("", ""),
        ("   ", ""),
        ("A dog barks and,", "A dog barks and,"),
    ],
)
def test_an_answer_is_repaired_and_repairing_twice_changes_nothing(text: str, expected: str) -> None:
    assert repair(text) == expected
    assert repair(repair(text)) == expected
