"""A model's license reaches what it writes: rolled up by model, and closed where nobody knows it."""

from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.enrich.generators import generators, license_of, models
from captionstew.shards.manifest import Enrichment

ROW = Enrichment(
    "flap@1", "enriched", "lmsys/vicuna-7b-v1.5", "abc", 9, 9, 7, 0, 0, {}, 1, 1, 9.0, 9, 7, 0, 0, 0, 0, 0
)


@pytest.mark.parametrize(
    ("name", "license", "outputs"),
    [
        ("lmsys/vicuna-7b-v1.5", "LicenseRef-Llama-2", "clause"),
        (
            "lmsys/vicuna-13b-v1.5-16k@c8327bf999adbd2efe2e75f6509fa01436100dc2",
            "LicenseRef-Llama-2",
            "clause",
        ),
        ("/models/vicuna-7b-v1.5/", "LicenseRef-Llama-2", "clause"),
        ("vicuna-7b-v1.5@1f2e", "LicenseRef-Llama-2", "clause"),  # as captions name a folder
        ("Qwen/Qwen2.5-7B-Instruct", "Apache-2.0", "yes"),
        ("Qwen/Qwen2.5-3B-Instruct", "LicenseRef-Qwen-Research", "no"),
        ("somebody/vicuna-7b-v1.5", "unknown", "no"),  # a copy of a name is no license
        ("", "unknown", "no"),
    ],
)
def test_a_model_has_the_license_of_the_first_row_that_names_it(
    name: str, license: str, outputs: str
) -> None:
    found = license_of(name)
    assert (found.license, found.outputs) == (license, outputs)
    assert found.says


def test_every_row_says_where_and_when_it_was_read() -> None:
    for one in models():
        assert one.url.startswith("https://")
        assert len(one.date) == len("2026-11-21")


def test_captions_are_rolled_up_by_model_and_one_that_kept_none_is_left_out() -> None:
    rows = [
        ROW,
        replace(ROW, prompt="music@2", passed=3),
        replace(ROW, model="tiny/unknown", revision="", passed=2),
        replace(ROW, model="other", passed=0),
    ]
    vicuna, tiny = generators(rows)
    assert (vicuna.captions, vicuna.prompts, vicuna.forbids) == (10, ("flap@1", "music@2"), False)
    assert (tiny.captions, tiny.license.license, tiny.forbids) == (2, "unknown", True)
    assert "tiny/unknown" in tiny.license.says


def test_the_page_about_models_names_what_the_facts_hold() -> None:
    page = (Path(__file__).parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    assert all(
        one.license.removeprefix("LicenseRef-").replace("-", " ").split()[0] in page for one in models()
    )
