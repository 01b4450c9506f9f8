"""Versions say what a reader has to expect: evaluation splits move only with the major number."""

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from captionstew.errors import UsageError
from captionstew.publish.version import after, chosen, newest, step
from captionstew.shards.manifest import Manifest
from captionstew.shards.release import ReleaseFile, Total

CORPUS = "clotho"
Clips = dict[str, str]


def manifest(**splits: Clips) -> Manifest:
    """A release of one corpus (or `corpus__split`) whose files hold these clips, by id and hash of their sound."""
    files, totals = [], []
    for name, clips in splits.items():
        corpus, _, split = name.rpartition("__")
        corpus = corpus or CORPUS
        path = f"data/captions/{corpus}/{split}-00000-of-00001.parquet"
        said = repr(sorted(clips.items()))
        files.append(
            ReleaseFile(path, "captions", corpus, split, "caption.v1", len(clips), len(clips), 1.0, 1, said)
        )
        totals.append(Total("captions", corpus, split, 1, len(clips), len(clips), 1.0, {}))
    return Manifest("test", "0", tuple(files), tuple(totals), (), {})


def rows(**splits: Clips) -> Any:
    def read(file: ReleaseFile) -> pa.Table:
        name = file.split if file.corpus == CORPUS else f"{file.corpus}__{file.split}"
        assert file.split != "train", "nobody needs to read all of the training clips"
        return pa.table({"clip_id": list(splits[name]), "audio_sha256": list(splits[name].values())})

    return read


TRAIN, TEST = {"fs:1": "a", "fs:2": "b"}, {"fs:8": "x", "fs:9": "y"}


@pytest.mark.parametrize(
    ("now", "removed", "level", "why"),
    [
        ({"train": TRAIN, "test": TEST}, (), None, ""),
        ({"train": {"fs:1": "a"}, "test": TEST}, (), "patch", "removed or mended"),
        ({"train": {"fs:1": "a", "fs:2": "other"}, "test": TEST}, (), "patch", "evaluation splits unchanged"),
        ({"train": TRAIN | {"fs:3": "c"}, "test": TEST}, (), "minor", "1 clip more"),
        ({"train": TRAIN, "test": TEST, "macs__train": {"fs:5": "e"}}, (), "minor", "1 corpus added: macs"),
        ({"train": TRAIN, "test": TEST, "macs__test": {"fs:5": "e"}}, (), "minor", "1 corpus added: macs"),
        ({"train": TRAIN, "test": TEST | {"fs:7": "w"}}, (), "major", "clotho test has 1 clip more"),
        ({"train": TRAIN, "test": {"fs:8": "x"}}, (), "major", "clotho test has 1 clip fewer"),
        ({"train": TRAIN, "test": {"fs:8": "x"}}, ("fs:9",), "patch", "1 evaluation clip taken down"),
        ({"train": TRAIN, "test": TEST | {"fs:9": "z"}}, (), "major", "1 clip with other audio"),
        ({"train": {"fs:1": "a"}, "test": TEST | {"fs:2": "b"}}, (), "major", "clotho test has 1 clip more"),
        ({"train": TRAIN}, (), "major", "clotho test has 2 clips fewer"),
    ],
)
def test_what_changed_decides_the_least_step(
    now: dict[str, Clips], removed: tuple[str, ...], level: str | None, why: str
) -> None:
    before = {"train": TRAIN, "test": TEST}
    made = step(manifest(**before), manifest(**now), rows(**before), rows(**now), removed)
    assert (made.level if made else None) == level
    assert why in (made.why if made else "")


def test_another_schema_or_a_tier_that_is_gone_is_a_major_step() -> None:
    before = manifest(train=TRAIN)
    other = replace(
        before, files=tuple(replace(one, schema="caption.v2", sha256="n") for one in before.files)
    )
    made = step(before, other, rows(), rows())
    assert made
    assert (made.level, made.why) == ("major", "the schema is caption.v2")
    heard = replace(
        before,
        files=(*before.files, replace(before.files[0], tier="audio", path="data/audio/x", schema="clip.v1")),
    )
    made = step(heard, before, rows(), rows())
    assert made
    assert (made.level, made.why) == ("major", "there is no audio any more")
    made = step(before, heard, rows(), rows())
    assert made
    assert (made.level, made.why) == ("minor", "audio added")


def test_tags_follow_each_other() -> None:
    assert newest(["v1.9.0", "v1.10.0", "main", "v2", "v1.2.30"]) == "v1.10.0"
    assert newest(["main"]) == ""
    steps = [after("v1.2.3", level) for level in ("patch", "minor", "major")]
    assert steps == ["v1.2.4", "v1.3.0", "v2.0.0"]


def test_the_tag_is_the_next_one_or_one_that_says_more() -> None:
    before, now = manifest(train=TRAIN), manifest(train=TRAIN | {"fs:3": "c"})
    minor = step(before, now, rows(), rows())
    assert chosen("", "", None) == "v1.0.0"
    assert chosen("v3.0.0", "", minor) == "v3.0.0"
    assert chosen("", "v1.2.3", minor) == "v1.3.0"
    assert chosen("v2.0.0", "v1.2.3", minor) == "v2.0.0"
    for wrong in ("v1.2.4", "v1.2.3", "v1.4.0", "v1.3.1"):
        with pytest.raises(UsageError, match="cannot follow") as caught:
            chosen(wrong, "v1.2.3", minor)
        assert "--tag v1.3.0" in caught.value.hint
