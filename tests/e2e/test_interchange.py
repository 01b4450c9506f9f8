"""A build goes out to other tools and comes in again; a collection of somebody else's comes in as it was meant."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile

from captionstew.audio.codec import decode_pcm
from captionstew.cli.main import main
from captionstew.corpora.facts import corpus
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import recipe
from captionstew.shards.read import Clips

RATE = 16_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Much of the sampler: captions of several corpora, three splits, ids of several kinds."""
    out = tmp_path_factory.mktemp("sampler")
    pipeline = recipe("sampler")
    facts = tuple(corpus(name) for name in pipeline.corpora)
    Build(Request(pipeline, out, facts, limit=40, cluster="none")).run()
    return out


def rows(build: Path) -> dict[str, dict[str, Any]]:
    table = pl.scan_parquet(build / "data/audio/*/*.parquet").drop("audio").collect()
    return {row["clip_id"]: row for row in table.iter_rows(named=True)}


@pytest.mark.slow
@pytest.mark.parametrize("audio", ["tar", "files"])
def test_a_build_survives_lhotse(audio: str, built: Path, tmp_path: Path) -> None:
    assert (
        main(["export", str(built), "--to", "lhotse", "--audio", audio, "--out", str(tmp_path / "out")]) == 0
    )
    manifests = sorted((tmp_path / "out").rglob("*.jsonl.gz"))
    back = tmp_path / "back"
    assert main(["import", *map(str, manifests), "--out", str(back), "--quiet"]) == 0
    before, after = rows(built), rows(back)
    assert set(after) == set(before)
    assert len(after) > 30
    kept = (
        "audio_sha256",
        "split",
        "domain",
        "license",
        "attribution",
        "transcript",
        "source_id",
        "source_url",
    )
    for clip_id, row in after.items():
        was = before[clip_id]
        assert {name: row[name] for name in kept} == {name: was[name] for name in kept}
        told = [[(c["text"], c["style"], c["model"]) for c in one["captions"]] for one in (row, was)]
        assert sorted(told[0], key=str) == sorted(told[1], key=str)
        assert set(was["tags"]) == set(row["tags"])


def test_cuts_are_cut_out_of_the_channel_that_they_name(melody: Callable[..., Any], tmp_path: Path) -> None:
    left, right = (np.round(melody(seed, seconds=4) * 32767).astype(np.int16) for seed in (1, 2))
    (tmp_path / "wav").mkdir()
    soundfile.write(tmp_path / "wav" / "two.wav", np.stack([left, right], 1), RATE)
    source = {"type": "file", "channels": [0, 1], "source": "/cluster/corpus/wav/two.wav"}
    recording = {"id": "two", "sources": [source], "sampling_rate": RATE, "num_samples": len(left),
                 "duration": 4.0, "channel_ids": [0, 1]}  # fmt: skip

    def cut(name: str, start: float, duration: float, channel: Any) -> Mapping[str, Any]:
        supervision = {"id": name, "recording_id": "two", "start": 0.0, "duration": duration, "channel": channel,
                       "custom": {"caption": [f"A melody called {name}"]}}  # fmt: skip
        return {"id": name, "start": start, "duration": duration, "channel": channel, "recording": recording,
                "supervisions": [supervision], "type": "MultiCut" if channel == [0, 1] else "MonoCut"}  # fmt: skip

    cuts = [
        cut("left", 0.5, 1.25, 0),
        cut("right", 2.0, 2.0, 1),
        cut("both", 0.0, 4.0, [0, 1]),
        cut("all", 0, 4, 1),
    ]
    soundfile.write(tmp_path / "wav" / "Yab.flac", left, RATE)
    named = {**recording, "id": "Yab", "sources": [{"type": "file", "channels": [0], "source": "AudioSet"}]}
    cuts.append({"id": "Yab", "start": 0.0, "duration": 4.0, "channel": 0, "type": "MonoCut", "supervisions": [],
                 "recording": named, "custom": {"caption": ["A melody called Yab"]}})  # fmt: skip
    manifest = tmp_path / "lists" / "cuts.jsonl.gz"
    manifest.parent.mkdir()
    manifest.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in cuts).encode()))
    words = [
        "--audio-root",
        str(tmp_path),
        "--license",
        "CC-BY-4.0",
        "--out",
        str(tmp_path / "build"),
        "--quiet",
    ]
    assert main(["import", str(manifest), *words]) == 0

    clips = Clips(tmp_path / "build")
    mean = (left.astype(np.float64) + right) / 2
    meant = {"left": left[8000:28000], "right": right[32000:], "both": mean, "all": right, "Yab": left}
    assert len(clips) == len(meant)
    for name, samples in meant.items():
        number = clips.find(f"folder:{name}")
        pcm, rate = decode_pcm(clips.clip_bytes(number), "flac")
        assert rate == RATE
        assert len(pcm) == len(samples)
        assert np.abs(pcm - samples).max() <= 1, name
        row = clips.row(number).to_pylist()[0]
        assert row["source_id"] == ("folder:Yab" if name == "Yab" else "folder:two")
        assert clips.captions(number) == [f"A melody called {name}"]
