"""Cleaning: only what nobody wrote about the sound goes."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captionstew.corpora.facts import corpus
from captionstew.corpora.read import read
from captionstew.text.clean import cleaned, leaks, refuses, words

TEXT = pl.col("text")

REFUSALS = [
    "I'm sorry, but there is no speech in this audio.",
    "I am sorry, I cannot determine the gender of the speaker.",
    "I\u2019m sorry, but I can\u2019t hear the audio.",
    "As an AI language model, I do not have the ability to listen.",
    "As a large language model I only read text.",
    "A dog barks. I cannot tell more without the audio.",
    "The sound is unclear, so I'm unable to describe it.",
    "I don't have enough information to describe the scene.",
    "I apologize, but the labels contradict each other.",
    "Unable to generate a caption for these labels.",
    "I'm sorry, but it is not possible to say what the man says.",
    "Sorry, I am not able to process this clip.",
]
RESIDUES = [
    "Caption: a dog barks in the rain",
    "Output: Rain falls.",
    "Sure, here is a caption: a car passes by.",
    "Here is a possible caption for the sound.",
    "Here's your audio caption: birds sing.",
    "The audio label is speech and a man speaks.",
    "The audio-visual label of this clip is music.",
    "Based on the given labels, a train passes.",
    "The modified question asks what is heard.",
    "A bell rings<|im_end|>",
    "<s> A bell rings",
    "A <unk> rings in the distance",
    "[INST] Describe the sound [/INST] A bell",
    "A bell rings. USER: thank you",
]
HONEST = [
    "A woman says I'm sorry while rain falls",
    "A man says, I'm so sorry, and a door closes",
    'A man says "I cannot hear you" over an engine',
    "A man says \u201cI\u2019m sorry\u201d and a phone rings",
    "A woman shouts 'I can't do it' as people laugh",
    "A voice: I am sorry, the number is not available",
    "A man sings that I can't live without you over a guitar",
    "A child whispers to him I'm sorry",
    "A person repeats the words I don't have time",
    "A man apologizes, saying I am sorry, then walks away",
    "A song with the lyrics I can't get no satisfaction plays",
    "An announcement apologizes for a delay",
    "A sorry dog whines while a man speaks",
    "A man who is unable to hear shouts over the engine",
    "An AI voice assistant answers a question",
    "A model aeroplane buzzes overhead",
    "A response comes from the crowd: cheering",
    "Sure footsteps cross a wooden floor",
    "The sound of a caption machine typing",
    "A computer and its user: keys are typed and a mouse clicks",
    "Temperatures of <5 degrees make the ice crack",
    "Based on the beat, a drum machine plays",
    "Here is a bird, there is a car",
    "The audio is of low quality with a hissing noise",
    "The audio quality is poor",
]


def one(expression: pl.Expr, text: str) -> object:
    """The value of an expression for one text."""
    return pl.DataFrame({"text": [text]}).select(expression).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  A dog\t barks \n loudly. ", "A dog barks loudly."),
        ("A\u00a0dog\u2003barks", "A dog barks"),
        ("Cafe\u0301 noise", "Caf\u00e9 noise"),
        ("rain\x00falls\x1b here\x92s", "rain falls here s"),
        ("\ufeffrain\u200b falls\u00ad softly\ufffd", "rain falls softly"),
        ("rock &amp; roll &quot;live&quot;", 'rock & roll "live"'),
        ("a man&#39;s voice, a dog&#x27;s bark&nbsp;here", "a man's voice, a dog's bark here"),
        ("5 &lt; 6", "5 < 6"),
        ("a <b>loud</b> bang<br/>then <a href='x'>rain</a>", "a loud bang then rain"),
        ("&lt;p&gt;rain&lt;/p&gt;", "rain"),
        ("rain, see https://example.org/a?b=1 for more", "rain, see for more"),
        ('"A dog barks."', "A dog barks."),
        ("'A dog barks.'", "A dog barks."),
        ("\u201cA dog barks.\u201d", "A dog barks."),
        ('  "A dog barks." ', "A dog barks."),
        ('"Hello" says a man, "bye"', '"Hello" says a man, "bye"'),
        ("'A man's voice'", "'A man's voice'"),
        ("a noise of <5 dB and > 2 dB", "a noise of <5 dB and > 2 dB"),
        ("a <laughing> crowd", "a <laughing> crowd"),
        ("\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0645\u06cc\u200c\u0634\u0648\u062f"),
        ("\u4e00\u53ea\u72d7\u5728\u53eb", "\u4e00\u53ea\u72d7\u5728\u53eb"),
        ("a dog \U0001f436 barks", "a dog \U0001f436 barks"),
        ("", ""),
        (" \t\u200b ", ""),
        ('""', ""),
    ],
)
def test_text_is_cleaned(text: str, expected: str) -> None:
    assert one(cleaned(TEXT), text) == expected


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_cleaned_text_has_single_blanks_no_control_characters_and_no_blank_ends(texts: list[str]) -> None:
    for text in pl.DataFrame({"text": texts}).select(cleaned(TEXT)).to_series():
        assert text == text.strip()
        assert "  " not in text
        assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text)


def test_nothing_stays_nothing() -> None:
    table = pl.DataFrame({"text": [None, "a"]}, schema={"text": pl.String})
    assert table.select(cleaned(TEXT)).to_series().to_list() == [None, "a"]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_models_excuse_is_no_caption(text: str) -> None:
    assert one(refuses(cleaned(TEXT)), text)


@pytest.mark.parametrize("text", RESIDUES)
def test_parts_of_a_prompt_are_no_caption(text: str) -> None:
    assert one(leaks(cleaned(TEXT)), text)


@pytest.mark.parametrize("text", HONEST)
def test_honest_captions_stay_whatever_they_quote(text: str) -> None:
    assert not one(refuses(cleaned(TEXT)), text)
    assert not one(leaks(cleaned(TEXT)), text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog barks", 3),
        ("rain", 1),
        ("", 0),
        ("...!?", 0),
        ("a man's well-known voice", 4),
        ("120 bpm", 2),
        ("\u4e00\u53ea\u72d7\u5728\u53eb", 5),
        ("\u72d7\u304c\u5420\u3048\u308b", 5),
        ("DJ\u5728\u64ad\u653e R&B", 6),
        ("\u0b9a\u0bbf\u0bb0\u0bbf\u0baa\u0bcd\u0baa\u0bc1", 1),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 \u0917\u0940\u0924", 2),
        ("\uac1c\uac00 \uc9d6\ub294\ub2e4", 2),
        ("\u0645\u06cc\u200c\u0634\u0648\u062f", 1),
        ("Caf\u00e9 cre\u0300me", 2),
    ],
)
def test_words_are_counted_in_many_scripts(text: str, expected: int) -> None:
    assert one(words(TEXT), text) == expected


@pytest.mark.parametrize(
    ("name", "folder", "captions"),
    [
        ("audiocaps", "audiocaps", 57_188),
        ("clotho", "clotho", 29_645),
        ("musiccaps", "musiccaps", 5521),
        ("wavcaps-soundbible", "wavcaps", 1232),
    ],
)
def test_nothing_in_the_published_captions_is_taken_for_a_fault(
    real: Path, name: str, folder: str, captions: int
) -> None:
    table = read(corpus(name), [real / "annotations" / folder]).captions.select(text=cleaned(TEXT)).collect()
    assert len(table) == captions
    bad = table.filter(refuses(TEXT) | leaks(TEXT) | (words(TEXT) < 1) | (words(TEXT) > 300))
    assert bad["text"].to_list() == []
