"""One clip, to see in a terminal, as a picture, and to hear."""

import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captionstew.cli.console import Console
from captionstew.cli.picture import picture
from captionstew.cli.spectrum import LOWEST, envelope, hertz, log_mel, mel
from captionstew.shards.rows import open_rows

from .conftest import NUM_SOUNDS, Cli

RATE = 16_000
CLIP = "folder:tune 1.wav"
PNG = b"\x89PNG\r\n\x1a\n"


def _pcm(samples: Any) -> Any:
    return np.round(np.asarray(samples) * 32767).astype(np.int16)


@pytest.fixture(scope="session")
def silent_release(
    built: Path, captions_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The captions of the build, without its audio."""
    return captions_of(built, tmp_path_factory.mktemp("silent"))


@pytest.mark.parametrize("frequency", [200.0, 1000.0, 5000.0])
def test_a_tone_is_loudest_in_the_band_of_its_frequency(sine: Callable[..., Any], frequency: float) -> None:
    bands = log_mel(_pcm(sine(frequency, 1.0, RATE, 0.5)), RATE, 40, 20)
    edges = np.linspace(mel(LOWEST), mel(RATE / 2), 42)
    assert bands.shape == (40, 20)
    for column in bands[:, 1:-1].T:
        loudest = int(column.argmax())
        assert hertz(edges[loudest]) < frequency < hertz(edges[loudest + 2])
        assert column.max() == pytest.approx(20 * np.log10(0.5), abs=4)


def test_stretches_are_as_loud_as_they_are(sine: Callable[..., Any]) -> None:
    parts = [sine(440, 0.5, RATE, amplitude) for amplitude in (1.0, 0.1, 0.0, 0.5)]
    levels = envelope(_pcm(np.concatenate(parts)), 4)
    assert levels[[0, 1, 3]] == pytest.approx([0, -20, -6.02], abs=0.1)
    assert levels[2] == -np.inf


@pytest.mark.parametrize("samples", [1, 100, 3 * RATE])
@pytest.mark.parametrize("coloured", [True, False])
def test_a_picture_is_as_wide_as_it_is_told_however_short_or_silent_the_clip(
    samples: int, coloured: bool
) -> None:
    random = np.random.default_rng(0)
    for pcm in (np.zeros(samples, np.int16), _pcm(random.uniform(-1, 1, samples))):
        lines = picture(pcm, RATE, 80, coloured=coloured)
        assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= 79
        assert any("\x1b" in line for line in lines) is coloured
        assert len(lines) == 19


def test_a_rate_that_no_microphone_has_is_no_trouble() -> None:
    random = np.random.default_rng(0)
    for rate in (1, 50, 700_000):
        assert len(picture(_pcm(random.uniform(-1, 1, 500)), rate, 80, coloured=True)) == 19


def test_what_rises_goes_up_in_the_picture() -> None:
    time = np.arange(2 * RATE) / RATE
    rising = 0.5 * np.sin(2 * np.pi * (200 * time + 1500 * time**2))  # 200 Hz to 6.2 kHz
    rows = picture(_pcm(rising), RATE, 80, coloured=False)[4:-1]
    peaks = [next((n for n, row in enumerate(rows) if row[column : column + 1] in "\u2593\u2588"), None)
             for column in (12, 30, 50, 70)]  # fmt: skip
    assert None not in peaks
    assert peaks == sorted(peaks, key=lambda row: -(row or 0))
    assert len(set(peaks)) == 4


def test_a_clip_is_shown_plain_in_a_pipe_and_in_colour_on_a_terminal(
    cli: Cli, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = cli("inspect", built, "--clip", CLIP).out
    assert "\x1b" not in plain
    assert "kHz" in plain
    assert max(map(len, plain.splitlines()[:22])) <= 80
    monkeypatch.setattr("captionstew.cli.clip.colourful", lambda _stream: True)
    assert "\x1b[38;5;" in cli("inspect", built, "--clip", CLIP).out


def test_captions_name_source_style_model_and_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    from captionstew.cli.clip import _captions

    said = {
        "text": "A dog barks.",
        "style": "machine",
        "source": "llm",
        "model": "vicuna",
        "prompt": "flap@9a1e",
    }
    _captions([said], Console())
    assert "A dog barks.   [machine llm vicuna prompt flap@9a1e]" in capsys.readouterr().out


def test_a_picture_is_written_with_its_axes(cli: Cli, built: Path) -> None:
    image = pytest.importorskip("matplotlib.image")
    said = cli("inspect", built, "--clip", CLIP, "--png", "clip.png", "--json")
    assert (said.code, json.loads(said.out)["png"]) == (0, "clip.png")
    data = Path("clip.png").read_bytes()
    assert data.startswith(PNG)
    pixels = image.imread(io.BytesIO(data))
    assert pixels[..., :3].std() > 0.1
    assert pixels.shape[0] >= 600
    assert cli("inspect", built, "--clip", CLIP, "--png", "again.png").code == 0
    assert Path("again.png").read_bytes() == data


def test_without_matplotlib_the_remedy_is_named(
    cli: Cli, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.backends.backend_agg", None)
    said = cli("inspect", built, "--clip", CLIP, "--png", "clip.png")
    assert said.code == 1
    assert "pip install 'captionstew[" in said.err
    assert not Path("clip.png").exists()


def _player(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of this name on the path, and no other player."""
    folder.mkdir(exist_ok=True)
    shell = shutil.which("sh")
    (folder / name).write_text(f"#!{shell}\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_a_clip_is_played_by_what_is_here(
    cli: Cli, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = f'{shutil.which("cp")} "$2" "{tmp_path}/heard.wav"'
    _player(tmp_path / "bin", "aplay", copy, monkeypatch)
    assert cli("inspect", built, "--clip", CLIP, "--play").code == 0
    import soundfile

    samples, rate = soundfile.read(tmp_path / "heard.wav", dtype="int16")
    assert (len(samples), rate) == (24_000, RATE)


def test_where_nothing_plays_the_reason_is_told(
    cli: Cli, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _player(tmp_path / "bin", "aplay", "echo no such device >&2; exit 1", monkeypatch)
    said = cli("inspect", built, "--clip", CLIP, "--play")
    assert said.code == 1
    assert "could not be played" in said.err
    assert "no such device" in said.err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "nothing here plays sound" in cli("inspect", built, "--clip", CLIP, "--play").err


def test_a_release_of_captions_alone_shows_what_it_has(cli: Cli, silent_release: Path) -> None:
    assert f"{NUM_SOUNDS} clips" in cli("inspect", silent_release).out
    said = cli("inspect", silent_release, "--clip", CLIP)
    assert said.code == 0
    assert "captions only" in said.out
    assert "A tune of number 1   [human folder]" in said.out
    facts = json.loads(cli("inspect", silent_release, "--clip", CLIP, "--json").out)
    assert facts["audio"] is None
    refused = cli("inspect", silent_release, "--clip", CLIP, "--play")
    assert refused.code == 1
    assert "captionstew attach" in refused.err


def test_pictures_and_sounds_are_of_one_clip(cli: Cli, built: Path) -> None:
    for option in (["--play"], ["--png", "a.png"]):
        said = cli("inspect", built, *option)
        assert (said.code, f"{option[0]} is for one clip" in said.err) == (2, True)


def test_ids_near_a_wrong_one_are_found_where_it_would_stand(built: Path) -> None:
    rows = open_rows(built).audio
    assert rows.find("folder:tune 3.wav") == 3
    assert rows.find("folder:tune 33.wav") is None
    assert rows.near("tune 3")[0] == rows.near("folder:tune-3.wav")[0] == "folder:tune 3.wav"
    assert rows.near("zzz") == []


def test_a_clip_of_a_repository_looks_as_that_of_the_folder(cli: Cli, built: Path, hub: Any) -> None:
    from huggingface_hub import HfApi

    name, api = hub.fresh(), HfApi(endpoint=hub.url, token=hub.token)
    api.create_repo(name, repo_type="dataset")
    api.upload_folder(
        repo_id=name, folder_path=built, repo_type="dataset", allow_patterns=["data/*", "manifest.json"]
    )
    here, there = (
        json.loads(cli("inspect", place, "--clip", CLIP, "--json").out) for place in (built, f"hf://{name}")
    )
    assert here == there
    rows = [cli("inspect", place, "--limit", 3, "--quiet").out for place in (built, f"hf://{name}")]
    assert rows[0] == rows[1]
    said = cli("inspect", f"hf://{name}", "--clip", "folder:tune-3.wav")
    assert (said.code, "did you mean 'folder:tune 3.wav'" in said.err) == (1, True)
