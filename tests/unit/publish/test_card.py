"""The card loads what it says, says what the manifest says, and no row of the data can change how it looks."""

import io
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import soundfile
import yaml  # type: ignore[import-untyped]

from captionstew.publish.card import card
from captionstew.publish.configs import configs
from captionstew.publish.contents import Release
from captionstew.publish.examples import examples, shown
from captionstew.publish.header import header, size_category
from captionstew.schema import schema

from .builds import caption, clip
from .releases import HOSTILE, clips, prepared, rich, written
from .test_markdown import rendered


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return rich(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def folder(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(release, tmp_path_factory.mktemp("repository") / "it")


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return (folder / "README.md").read_text("utf-8")


def test_the_hubs_own_reader_takes_the_header(text: str, folder: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    data = hub.DatasetCard.load(folder / "README.md").data
    assert (data.license, data.license_name, data.pretty_name) == ("other", "captionstew-mixed", "Stew")
    assert data.license_link.endswith("/mira/Stew/blob/v1.0.0/LICENSES.md")
    assert (data.language, data.size_categories) == (["en"], ["n<1K"])
    assert data.annotations_creators == ["crowdsourced", "machine-generated"]
    assert {"audio", "speech", "sound", "synthetic-captions"} <= set(data.tags)
    assert data.to_dict()["extra_gated_fields"], "audio-nc asks before it gives"


def test_configs_are_those_of_the_tiers_and_corpora_that_are_there(release: Release, tmp_path: Path) -> None:
    assert [one.name for one in configs(release)] == [
        "audio", "audio-sa", "audio-nc", "captions",
        "captions-audiocaps", "captions-fsd50k", "captions-libritts-p", "captions-sampler-audiocaps",
    ]  # fmt: skip
    captions = prepared(tmp_path, clips()[15:24], tier="captions").release
    found = configs(captions)
    assert [one.name for one in found] == ["captions", "captions-fsd50k"]
    assert "extra_gated_prompt" not in header(captions, found)
    page = card(captions, examples(captions))
    assert "## Example rows" in page
    assert "<audio" not in page


def test_datasets_loads_every_config_with_the_rows_that_the_card_promises(
    folder: Path, release: Release, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    every = configs(release)
    assert datasets.get_dataset_config_names(str(folder)) == [one.name for one in every]
    for config in every:
        loaded = datasets.load_dataset(str(folder), config.name, cache_dir=str(tmp_path))
        assert {name: len(split) for name, split in loaded.items()} == {
            name: amount.clips for name, amount in config.splits.items()
        }
    with pytest.raises(ValueError, match="Config name is missing"):
        datasets.load_dataset(str(folder), cache_dir=str(tmp_path))


def test_datasets_refuses_a_card_that_promises_other_rows(
    folder: Path, tmp_path: Path, release: Release
) -> None:
    datasets = pytest.importorskip("datasets")
    wrong = written(release, tmp_path / "wrong")
    page = (wrong / "README.md").read_text("utf-8")
    (wrong / "README.md").write_text(page.replace("num_examples: 3\n", "num_examples: 4\n"), "utf-8")
    with pytest.raises(datasets.exceptions.NonMatchingSplitsSizesError):
        datasets.load_dataset(str(wrong), "audio-sa", cache_dir=str(tmp_path))


def test_features_are_those_that_the_parquet_files_carry(text: str) -> None:
    datasets = pytest.importorskip("datasets")
    head = yaml.safe_load(text.split("---\n")[1])
    told = {one["config_name"]: one.get("features") for one in head["dataset_info"]}
    for name, contract in (("audio", "clip.v1"), ("captions", "caption.v1")):
        features = datasets.Features.from_arrow_schema(schema(contract).arrow())
        assert told[name] == features._to_yaml_list()
        assert datasets.Features._from_yaml_list(told[name]) == features


def test_the_three_lines_on_the_card_run(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets")
    code = text.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) == 3
    local = code.replace('"mira/Stew"', repr(str(folder))).replace(', revision="v1.0.0"', "")
    exec(compile(local, "README.md", "exec"), {})
    assert "tone 30" in capsys.readouterr().out


def test_numbers_are_those_of_the_manifest(release: Release, text: str) -> None:
    assert "**30 clips · under 0.01 hours · 33 captions · 4 corpora · version v1.0.0**" in text
    assert "| **all** | 39 | 30 | 0 | 9 | 23 % | `missing` 8, `withdrawn` 1 |" in text
    more = tuple(
        replace(
            one,
            clips=one.clips + 1000,
            licenses={k: replace(v, clips=v.clips + 1000) for k, v in one.licenses.items()},
        )
        for one in release.manifest.totals
    )
    other = card(replace(release, manifest=replace(release.manifest, totals=more)), ())
    assert "**30 clips" not in other
    assert "1K<n<10K" in other


def test_players_play_rows_of_the_open_tier_as_they_are(release: Release, folder: Path, text: str) -> None:
    found = examples(release)
    assert [one.path for one in found] == ["examples/1.flac", "examples/2.flac"]
    assert {one.row["corpus"] for one in found} == {"fsd50k", "libritts-p"}, "one of each corpus"
    for one in found:
        rows = pq.read_table(folder / "data/audio" / one.row["corpus"]).to_pylist()
        row = next(row for row in rows if row["clip_id"] == one.row["clip_id"])
        assert one.audio == row["audio"]["bytes"] == (folder / one.path).read_bytes()
        assert soundfile.info(io.BytesIO(one.audio)).samplerate == 16_000
        assert f'src="https://huggingface.co/datasets/mira/Stew/resolve/v1.0.0/{one.path}"' in text


def test_an_example_shows_what_people_and_what_a_model_wrote(tmp_path: Path) -> None:
    rows = [row | {"corpus": "sampler-audiocaps"} for row in clips()[2:4]]
    rows[0]["captions"] = [
        *[caption(f"tone {n}", "sampler-audiocaps") for n in range(6)],
        rows[0]["captions"][-1],
    ]
    release = prepared(tmp_path, rows).release
    page = shown(examples(release)[0], release)
    assert "- tone 3 <sub>sampler-audiocaps, human</sub>\n- a made up tone" in page
    assert "- a made up tone <sub>generated, machine by lmsys/vicuna-7b-v1.5&#64;main</sub>" in page
    assert "tone 4" not in page


def test_hostile_rows_show_as_words(tmp_path: Path) -> None:
    rows = [row | {"corpus": "sampler-audiocaps"} for row in clips()[:3]]
    release = prepared(tmp_path, rows).release
    found = examples(release)
    assert [one.row["captions"][0]["text"] for one in found] == [HOSTILE, HOSTILE]
    page = rendered(card(release, found).split("---\n", 2)[2])
    assert not set(page.tags) & {"script", "img"}
    assert page.tags.count("audio") == 2
    assert "alert(1)" in "".join(page.words)
    assert not [link for link in page.links if link.startswith("javascript") or "evil" in link]


def test_prompts_models_and_alarms_of_enrichment_are_told(text: str) -> None:
    for words in (
        "section 1.b.v",
        "`lost-event` | 2",
        "3 (60 %)",
        "12.5 %",
        "opener: 3 of 3",
        "You write captions of sounds.",
    ):
        assert words in text


def test_how_many_and_how_varied_a_prompts_captions_are_stands_under_its_heading(text: str) -> None:
    found: dict[str, str] = {}
    for name in ("clips enriched", "Distinct-1"):
        head = next(line for line in text.splitlines() if f"| {name} |" in line)
        row = text.split(head)[1].splitlines()[2]
        names, figures = ([cell.strip() for cell in line.split("|")[1:-1]] for line in (head, row))
        found |= dict(zip(names, figures, strict=True))
    assert found.items() >= {
        "passed": "3 (60 %)", "clips enriched": "30 %", "distinct words": "20", "texts looked at": "3",
        "Distinct-1": "0.500", "Distinct-2": "0.600", "unsupported events": "12.5 %",
    }.items()  # fmt: skip


def test_a_release_without_the_models_captions_does_not_speak_of_them(tmp_path: Path) -> None:
    release = prepared(tmp_path, without=("llm",)).release
    assert release.manifest.enrichment, "the build has them"
    page = card(release, examples(release))
    assert "vicuna" not in page
    assert "No caption was generated for this release" in page
    assert "machine-generated" in page, "templates are"


def test_what_was_not_compared_is_said(text: str, tmp_path: Path) -> None:
    assert "| esc50 | 0 of 40 | not compared |" in text
    assert "No audio was at hand to compare by sound with 1 set: esc50." in text
    assert "No set was compared by upload or on a block list." in text


def test_only_corpora_with_voices_ask_to_leave_people_alone(text: str, tmp_path: Path) -> None:
    assert "people's voices" in text
    sounds = prepared(tmp_path, [clip(1, "fsd50k", "CC0-1.0")]).release
    assert "people's voices" not in card(sounds, ())


def test_sizes_fall_into_the_hubs_categories() -> None:
    found = [size_category(n) for n in (1, 999, 1000, 99_999, 9_300_000, 10**8)]
    assert found == ["n<1K", "n<1K", "1K<n<10K", "10K<n<100K", "1M<n<10M", "100M<n<1B"]
