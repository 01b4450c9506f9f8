"""The matrix says what audio and captions ask together, row by row, with who says so; nothing is guessed."""

from dataclasses import replace

import pytest

from captionstew.corpora.facts import corpora, corpus
from captionstew.corpora.license import CREATIVE_COMMONS, FAMILIES, REFERENCES, family
from captionstew.publish.contents import Release
from captionstew.publish.licenses import answer, licenses, matrix
from captionstew.publish.terms import terms

from .releases import rich


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


def test_the_matrix_holds_what_audio_and_captions_ask_together(release: Release) -> None:
    rows = {row.corpus: row for row in matrix(release.manifest, release.corpora)}
    fsd50k = rows["fsd50k"]
    assert (fsd50k.attribution, fsd50k.commercial, fsd50k.share_alike) == ("yes", "by clip", "by clip")
    assert fsd50k.published == "audio, audio-nc, audio-sa, captions"
    audiocaps = rows["audiocaps"]
    assert (audiocaps.commercial, audiocaps.share_alike, audiocaps.published) == ("no", "?", "captions")
    sampler = rows["sampler-audiocaps"]
    assert (sampler.attribution, sampler.commercial, sampler.share_alike) == ("no", "yes", "no")


def test_a_corpus_of_captions_alone_has_a_row(release: Release) -> None:
    more = (*release.corpora, corpus("musiccaps"))
    (row,) = [row for row in matrix(release.manifest, more) if row.corpus == "musiccaps"]
    assert (row.audio, row.captions, row.published) == (
        (),
        "CC-BY-SA-4.0",
        "captions on clips of other corpora",
    )


def test_the_page_names_each_license_with_clips_hours_source_and_text(release: Release) -> None:
    page = licenses(release)
    assert "| fsd50k | `CC-BY-NC-4.0` | 3 | under 0.01 | yes | no | no | audio-nc, captions |" in page
    said = corpus("audiocaps").license
    claim = f"`LicenseRef-AudioCaps` | [github.com]({said.captions_url}) | {said.captions_date}"
    assert f"| AudioCaps 1.0 | captions | {claim}" in page
    title = "Creative Commons Attribution-ShareAlike 4.0"
    assert f"- `CC-BY-SA-4.0`: [{title}](https://creativecommons.org/licenses/by-sa/4.0/)" in page
    assert "| audio | audiocaps | `LicenseRef-YouTube` | 4 |" in page, "what was held back"


def test_the_license_of_our_models_stands_with_its_clause(release: Release) -> None:
    page = licenses(release)
    assert "| `lmsys/vicuna-7b-v1.5` | `main` | this release | `LicenseRef-Llama-2` | [ai.meta.com]" in page
    plain = licenses(replace(release, manifest=replace(release.manifest, enrichment=())))
    assert "vicuna" not in plain


def test_publishers_models_are_named_too(release: Release) -> None:
    names = ("wavcaps-freesound", "audiosetcaps-vggsound")
    page = licenses(replace(release, corpora=(*release.corpora, *map(corpus, names))))
    assert "| ChatGPT | ? | WavCaps: FreeSound | as the corpus licenses them |" in page
    assert "| not stated | ? | AudioSetCaps: VGGSound | as the corpus licenses them |" in page


def test_every_license_that_the_gate_knows_has_terms() -> None:
    named = {*REFERENCES, *CREATIVE_COMMONS.values(), "CC0-1.0", "PDDL-1.0", "ODC-By-1.0", "ODbL-1.0", "MIT",
             "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Unlicense"}  # fmt: skip
    for license in sorted(named):
        found = terms(license)
        assert found.title != license.removeprefix("LicenseRef-").replace("-", " "), license
        if family(license) is FAMILIES["open"]:
            assert found.commercial, license
            assert found.url.startswith("https://"), license


def test_terms_agree_with_the_family_of_the_gate() -> None:
    for facts in corpora():
        for license in {facts.license.captions, facts.license.audio} - {"per-clip"}:
            if family(license).name == "research":
                assert terms(license).commercial is False, license
            if family(license).name == "share-alike":
                assert terms(license).share_alike is True, license


def test_a_license_that_nobody_has_read_answers_nothing() -> None:
    found = terms("LicenseRef-my-own-words")
    assert (found.title, found.attribution, found.commercial, found.share_alike) == (
        "my own words",
        None,
        None,
        None,
    )


def test_answers_are_yes_no_unknown_or_varying() -> None:
    assert [answer(values) for values in ([True], [False, False], [None], [True, None], [])] == [
        "yes", "no", "?", "by clip", "none",
    ]  # fmt: skip
