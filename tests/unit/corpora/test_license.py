"""Licences: what family they are of, what it lets us publish, and how they are written in the wild."""

from dataclasses import replace

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.license import FAMILIES, REFERENCES, allows, family, is_expression, reference, spdx


@pytest.mark.parametrize(
    ("license", "name", "audio"),
    [
        ("CC0-1.0", "open", "yes"), ("CC-BY-4.0", "open", "yes"),
        ("CC-BY-SA-3.0", "share-alike", "own-config"),
        ("CC-BY-NC-4.0", "research", "gated"), ("CC-BY-NC-SA-4.0", "research", "gated"),
        ("CC-BY-ND-4.0", "custom", "no"), ("CC-BY-NC-ND-4.0", "custom", "no"),
        ("LicenseRef-YouTube", "youtube", "no"),
        ("LicenseRef-BBC-RemArc", "archive", "no"), ("LicenseRef-Emilia", "gate", "no"),
        ("LicenseRef-said-by-nobody", "unknown", "no"), ("GPL-3.0-only", "unknown", "no"),
    ],
)  # fmt: skip
def test_families(license: str, name: str, audio: str) -> None:
    assert (family(license).name, family(license).audio) == (name, audio)


def test_every_reference_is_of_a_family_of_the_table() -> None:
    assert set(REFERENCES.values()) <= set(FAMILIES)
    assert all(is_expression(one) for one in REFERENCES)


@pytest.mark.parametrize(
    ("name", "publish", "allowed"),
    [
        ("audiocaps", "captions", True), ("audiocaps", "audio", False),
        ("audiocaps", "audio-where-allowed", False),
        ("libritts-p", "audio", True), ("clotho", "audio-where-allowed", True), ("clotho", "audio", False),
        ("esc50", "audio-where-allowed", True), ("esc50", "audio", False), ("folder", "captions", False),
        ("folder", "nothing", True),
    ],
)  # fmt: skip
def test_the_table_decides_what_may_be_published(name: str, publish: str, allowed: bool) -> None:
    license = replace(corpus(name).license, publish=publish)  # type: ignore[arg-type]
    assert allows(license) is allowed


def test_captions_under_unknown_terms_are_not_published() -> None:
    assert not allows(replace(corpus("audiocaps").license, captions="LicenseRef-unknown"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://creativecommons.org/licenses/by/3.0/", "CC-BY-3.0"),
        ("https://creativecommons.org/licenses/by-nc/4.0/legalcode", "CC-BY-NC-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("http://creativecommons.org/licenses/sampling+/1.0/", "LicenseRef-CC-Sampling-Plus-1.0"),
        ("CC BY 4.0", "CC-BY-4.0"), ("cc-by-nc-sa-4.0", "CC-BY-NC-SA-4.0"), ("CC0", "CC0-1.0"),
        ("CC-BY-SA-4.0", "CC-BY-SA-4.0"), ("LicenseRef-mine", "LicenseRef-mine"), ("MIT", "MIT"),
        ("CC BY 4.0; but not on Sundays", None), ("see repository", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_licences_in_the_wild_become_spdx(text: str | None, expected: str | None) -> None:
    assert (
        pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(spdx(pl.col("text"))).item()
        == expected
    )


@pytest.mark.parametrize(
    "text", ["see repository", "LibriSpeech CC BY 4.0; LibriTTS-P CC BY 4.0", "x" * 200, "\u00e9 (c)"]
)
def test_free_words_become_a_reference_in_their_own_words(text: str) -> None:
    made = pl.DataFrame({"text": [text]}).select(reference(pl.col("text"))).item()
    assert is_expression(made)
    assert made.startswith("LicenseRef-")
    assert len(made) <= 91


def test_no_words_make_no_reference() -> None:
    assert pl.DataFrame({"text": ["", "(\u00e9)"]}).select(reference(pl.col("text")))["text"].to_list() == [
        None,
        None,
    ]
