"""The gate lets out what a licence allows, and nothing that nobody has looked at."""

from dataclasses import replace
from typing import Any

import pytest

from captionstew.corpora.facts import Corpus, corpora, corpus
from captionstew.corpora.license import REFERENCES, family
from captionstew.errors import BuildError, CorpusError
from captionstew.publish.contents import TIERS, Tier
from captionstew.publish.gate import Gate
from captionstew.publish.prepare import ASKED

LICENSES = ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "CC-BY-ND-4.0", "LicenseRef-never-heard-of",
            *REFERENCES)  # fmt: skip


def gate(*names: str, tier: str = "audio", **fields: object) -> Gate:
    return Gate({name: corpus(name) for name in names}, ASKED[tier], **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("license", "default", "asked"),
    [
        ("CC0-1.0", "audio", "audio"),
        ("CC-BY-3.0", "audio", "audio"),
        ("CC-BY-SA-4.0", "audio-sa", "audio-sa"),
        ("CC-BY-NC-3.0", None, "audio-nc"),
        ("CC-BY-NC-SA-4.0", None, "audio-nc"),
        ("LicenseRef-CC-Sampling-Plus-1.0", None, None),
        ("CC-BY-ND-4.0", None, None),
    ],
)
def test_the_license_of_the_row_decides_where_its_audio_goes(
    license: str, default: Tier | None, asked: Tier | None
) -> None:
    assert gate("fsd50k").place("fsd50k", license).audio == default
    assert gate("fsd50k", tier="audio-nc").place("fsd50k", license).audio == asked
    assert gate("fsd50k", tier="captions").place("fsd50k", license).audio is None
    assert not gate("fsd50k").place("fsd50k", license).refused  # its captions go out in any case


def test_no_corpus_lets_audio_out_under_a_license_that_forbids_it() -> None:
    facts = {one.name: one for one in corpora()}
    every = Gate(facts, TIERS)
    let_out = set()
    for name in facts:
        for license in LICENSES:
            place, kind = every.place(name, license), family(license)
            if place.audio:
                let_out.add(name)
                assert kind.audio != "no", (name, license)
                assert place.audio == {"open": "audio", "share-alike": "audio-sa"}.get(kind.name, "audio-nc")
                assert facts[name].license.publish.startswith("audio") or name == "folder"
            if kind.name == "unknown" or (facts[name].license.publish == "nothing" and name != "folder"):
                assert place.refused, (name, license)
    assert {"esc50", "fsd50k", "sampler-audiocaps"} <= let_out
    assert not {"audiocaps", "musiccaps", "laion-audiostock"} & let_out


def test_video_goes_out_as_captions_with_the_rule_that_keeps_its_audio_at_home() -> None:
    place = gate("audiocaps").place("audiocaps", "LicenseRef-YouTube")
    assert (place.refused, place.audio) == ("", None)
    assert "nobody's to give" in place.rule


def test_captions_only_holds_even_where_the_audio_is_open() -> None:
    place = gate("laion-freesound").place("laion-freesound", "CC0-1.0")
    assert (place.audio, place.rule) == (None, "its facts allow captions only")


def test_a_caption_goes_by_the_corpus_that_published_it_not_by_the_clip() -> None:
    rules = gate("fsd50k", "laion-audiostock", "audiocaps", without=frozenset({"wavtext5k"}))
    here = ("fsd50k", "CC0-1.0")
    assert rules.caption(*here, "fsd50k", None) == ""
    assert rules.caption(*here, "audiocaps", None) == ""
    assert rules.caption(*here, "laion-audiostock", None) == "forbidden"
    assert rules.caption(*here, "wavtext5k", None) == "left-out"
    assert rules.caption(*here, "llm", "lmsys/vicuna-7b-v1.5@abc") == ""
    with pytest.raises(CorpusError, match="captions by somebody/secret may not be published"):
        rules.caption(*here, "llm", "somebody/secret@1")
    assert replace(rules, without=frozenset({"llm"})).caption(*here, "llm", "somebody/secret@1") == "left-out"


def test_a_commercial_clip_goes_out_without_words_of_its_publisher() -> None:
    rules = gate("fsd50k", "audiocaps")
    place = rules.place("fsd50k", "LicenseRef-Epidemic-Sound")
    assert (place.refused, place.audio, place.texts) == ("", None, False)
    assert rules.caption("fsd50k", "LicenseRef-Epidemic-Sound", "fsd50k", None) == "forbidden"
    assert rules.caption("fsd50k", "LicenseRef-Epidemic-Sound", "audiocaps", None) == ""


def changed(name: str, unchecked: tuple[str, ...] = (), **terms: Any) -> Corpus:
    facts = corpus(name)
    return replace(facts, unchecked=unchecked, license=replace(facts.license, **terms))


@pytest.mark.parametrize(
    ("facts", "cause"),
    [
        (changed("fsd50k", ("size", "license.captions")), "license.captions in its facts is unchecked"),
        (changed("fsd50k", ("license",)), "license in its facts is unchecked"),
        (changed("fsd50k", captions="LicenseRef-unknown"), "LicenseRef-unknown is no license that we know"),
        (changed("audiocaps", audio="LicenseRef-new"), "LicenseRef-new is no license that we know"),
        (changed("audiocaps", publish="audio"), "publish = 'audio', which its own licenses do not allow"),
    ],
)
def test_a_corpus_whose_terms_are_not_settled_stops_the_release(facts: Corpus, cause: str) -> None:
    rules = Gate({facts.name: facts}, ASKED["audio"])
    with pytest.raises(CorpusError) as caught:
        rules.check({facts.name: ["CC0-1.0"]}, ())
    assert cause in caught.value.cause
    assert caught.value.where.endswith(f"{facts.name}.toml")
    assert f"--without {facts.name}" in caught.value.hint
    replace(rules, without=frozenset({facts.name})).check({facts.name: ["CC0-1.0"]}, ())


def test_a_corpus_of_which_nothing_is_published_needs_no_terms() -> None:
    gate("laion-audiostock").check({"laion-audiostock": ["LicenseRef-Audiostock"]}, ())


def test_ones_own_clips_go_by_the_license_that_the_table_gives_them() -> None:
    rules = gate("folder")
    assert rules.place("folder", "CC-BY-4.0").audio == "audio"
    assert rules.caption("folder", "CC-BY-4.0", "folder", None) == ""
    assert rules.place("folder", "LicenseRef-unknown").refused == "unlicensed"
    rules.check({"folder": ["LicenseRef-unknown", "CC0-1.0"]}, ())
    with pytest.raises(CorpusError, match="no clip of your own data has a license") as caught:
        rules.check({"folder": ["LicenseRef-unknown"]}, ())
    assert "add a column `license`" in caught.value.hint


@pytest.mark.parametrize("name", ["somebody/secret@1", "Qwen/Qwen2.5-3B-Instruct"])
def test_a_model_that_forbids_it_or_is_unknown_stops_the_release_unless_a_note_says_why(name: str) -> None:
    with pytest.raises(CorpusError, match="may not be published") as caught:
        gate("fsd50k").check({}, [name, "lmsys/vicuna-7b-v1.5"])
    plain = name.partition("@")[0]
    assert f"--allow-model {plain}=" in caught.value.hint
    rules = gate("fsd50k", models={plain: "it is ours"})
    rules.check({}, [name])
    assert rules.caption("fsd50k", "CC0-1.0", "llm", name) == ""


def test_captions_that_go_by_a_path_of_a_machine_are_built_again_first() -> None:
    path = "/home/mira/models/vicuna-7b-v1.5"
    with pytest.raises(BuildError, match="path of this machine") as error:
        gate("fsd50k").check({}, [path])
    assert "build it again" in error.value.hint
    with pytest.raises(BuildError, match="path of this machine"):
        gate("fsd50k").caption("fsd50k", "CC0-1.0", "llm", f"{path}@1f2e")
    gate("fsd50k", without=frozenset({"llm"})).check({}, [path])
    assert gate("fsd50k").caption("fsd50k", "CC0-1.0", "llm", "vicuna-7b-v1.5@1f2e") == ""
