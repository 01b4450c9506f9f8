"""Real clips under five licences: each goes as far as its own allows, on a Hub as its readers see it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from captionstew.cli.main import main
from captionstew.corpora.readers.folder import own
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import recipe

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

SAID = {  # what `pairs.jsonl` says in words, and the license that it means
    "ESC CC BY-NC 3.0 (ESC-10 CC BY); Clotho captions Tampere non-commercial": "CC-BY-NC-3.0",
    "annotations CC BY-NC-SA 4.0; source VoxCeleb/EARS/Expresso": "CC-BY-NC-SA-4.0",
    "LibriSpeech CC BY 4.0; LibriTTS-P CC BY 4.0": "CC-BY-4.0",
    "AudioSet/YouTube clip; captions academic use": "LicenseRef-YouTube",
    "captions CC BY-SA 4.0 (dataset card)": "CC-BY-SA-4.0",
}


def _built(table: Path, out: Path) -> Path:
    facts, places = own(table)
    Build(Request(recipe("folder"), out, (facts,), {"folder": tuple(places)}, cluster="none")).run()
    return out


def test_81_real_clips_go_as_far_as_their_licenses_allow(
    real: Path, hub: "LoopbackHub", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (real / "pairs.jsonl").read_text().splitlines()]
    lines = [
        {"audio": str(real / row["audio"]), "captions": row["captions"], "license": SAID.get(row["license"])}
        for row in rows
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    build, name = _built(tmp_path / "mine.jsonl", tmp_path / "build"), hub.fresh()
    capsys.readouterr()
    assert main(["publish", str(build), name, "--yes", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {one["tier"]: one["clips"] for one in told["totals"]} == {
        "captions": 79,
        "audio": 5,
        "audio-sa": 2,
    }
    assert {(one["tier"], one["license"]): one["clips"] for one in told["refused"]} == {
        ("audio", "CC-BY-NC-3.0"): 49,
        ("audio", "CC-BY-NC-SA-4.0"): 20,
        ("audio", "LicenseRef-YouTube"): 3,
        ("captions", "LicenseRef-unknown"): 2,
    }
    (path,) = [path for path in hub.files(name) if path.startswith("data/audio/")]
    (tmp_path / "open.parquet").write_bytes(hub.files(name)[path])
    open_rows = pq.read_table(tmp_path / "open.parquet")
    assert set(open_rows["license"].to_pylist()) == {"CC-BY-4.0"}
    assert main(["validate", f"hf://{name}@v1.0.0"]) == 0


def test_a_license_in_words_is_none_that_we_know(
    real: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (real / "pairs.jsonl").read_text().splitlines()[:4]]
    lines = [
        {"audio": str(real / row["audio"]), "caption": "a dog", "license": row["license"]} for row in rows
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    build = _built(tmp_path / "mine.jsonl", tmp_path / "build")
    assert main(["publish", str(build), "org/mine", "--dry-run"]) == 1
    said = capsys.readouterr().err
    assert "no clip of your own data has a license that we know" in said
    assert "add a column `license`" in said
