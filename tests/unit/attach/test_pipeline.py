"""The audio of a release is made again with the settings of its recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from captionstew.attach.pipeline import attaching
from captionstew.attach.release import CaptionsRelease
from captionstew.errors import RecipeError
from captionstew.pipeline.folder import Folder
from captionstew.recipe import override, recipe
from captionstew.shards.manifest import Manifest
from captionstew.stages.encode import Encode
from captionstew.stages.normalize import Normalize
from captionstew.stages.shard import Shard

MANIFEST = Manifest("mine", "", (), (), (), {})


def _release(tmp_path: Path, *changes: str) -> CaptionsRelease:
    """A release whose recipe.json is that of the sampler, changed."""
    import json

    Folder(tmp_path).freeze(override(recipe("sampler"), changes))
    return CaptionsRelease("mine", tmp_path, MANIFEST, json.loads((tmp_path / "recipe.json").read_text()))


def _with(release: CaptionsRelease, stage: str, **fields: Any) -> CaptionsRelease:
    stages = [one | (fields if one["stage"] == stage else {}) for one in release.recipe["stages"]]
    return replace(release, recipe={**release.recipe, "stages": stages})


def test_stages_have_the_fields_of_the_recipe_and_decide_nothing_again(tmp_path: Path) -> None:
    made = attaching(_release(tmp_path, "codec=opus", "sample_rate=8000", "megabytes=3"), ("clotho",))
    names = [stage.name for stage in made.pipeline.stages]
    assert names == ["release", "locate", "probe", "normalize", "measure", "encode", "compare", "shard"]
    assert {Normalize(8000), Encode("opus"), Shard(3)} <= set(made.pipeline.stages)
    assert (made.pipeline.name, made.pipeline.corpora, made.notes) == ("mine-attached", ("clotho",), ())


def test_another_codec_is_taken_where_it_is_asked_for(tmp_path: Path) -> None:
    assert Encode("pcm-zstd") in attaching(_release(tmp_path), ("clotho",), "pcm-zstd").pipeline.stages
    with pytest.raises(RecipeError, match="no codec 'mp3'"):
        attaching(_release(tmp_path), ("clotho",), "mp3")


@pytest.mark.parametrize("fields", [{"dither": True}, {"sample_rate": "fast"}, {"sample_rate": 1.5}])
def test_settings_that_are_not_known_here_are_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"Normalize\\({next(iter(fields))}="):
        attaching(_with(_release(tmp_path), "Normalize", **fields), ("clotho",))


def test_what_may_make_shards_differ_is_said(tmp_path: Path) -> None:
    release = _release(tmp_path)
    older = attaching(_with(release, "Encode", version=1), ("clotho",))
    assert older.notes == ("Encode is version 2 here, and was 1: shards may differ",)
    stages = release.recipe["stages"]
    at = next(place for place, one in enumerate(stages) if one["stage"] == "Measure")
    foreign = [*stages[:at], {"stage": "Denoise", "version": 1}, *stages[at:]]
    (note,) = attaching(replace(release, recipe={"stages": foreign}), ("clotho",)).notes
    assert "Denoise, which is not run here" in note
    (note,) = attaching(replace(release, recipe={}), ("clotho",)).notes
    assert "no recipe" in note


@pytest.mark.parametrize(
    ("recipe_name", "name"),
    [
        ("stew", "stew-attached"),
        ("../../home/x", "home-x-attached"),
        ("...", "release-attached"),
        ("a\x1b[2J", "a-2J-attached"),
    ],
)
def test_the_name_of_an_attached_build_is_a_plain_word(tmp_path: Path, recipe_name: str, name: str) -> None:
    release = replace(_release(tmp_path), manifest=replace(MANIFEST, recipe=recipe_name))
    assert attaching(release, ("clotho",)).pipeline.name == name
