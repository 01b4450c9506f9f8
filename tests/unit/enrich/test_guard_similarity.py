"""Similarity: scores are those of transformers' own CLAP; a tiny model from disk, real paths throughout."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captionstew.enrich.similarity import Similarity, curve, threshold
from captionstew.errors import RecipeError

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
RATE = 48_000


def sound(seconds: float, pitch: float) -> Any:
    time = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def test_the_score_is_the_cosine_that_the_model_itself_gives(clap_folder: Path) -> None:
    found = Similarity.load(clap_folder).scores([sound(2, 440)], ["a dog barks"])
    model = transformers.ClapModel.from_pretrained(clap_folder).eval()
    processor = transformers.ClapProcessor.from_pretrained(clap_folder)
    features = processor.feature_extractor(sound(2, 440), sampling_rate=RATE, return_tensors="pt")
    tokens = processor.tokenizer(["a dog barks"], return_tensors="pt")
    with torch.inference_mode():
        output = model(**features, **tokens)
    expected = float((output.audio_embeds * output.text_embeds).sum())
    assert found[0] == pytest.approx(expected, abs=1e-5)
    assert abs(expected) > 1e-3


def test_a_score_does_not_depend_on_its_batch_and_a_long_clip_is_the_same_twice(clap_folder: Path) -> None:
    similarity = Similarity.load(clap_folder)
    sounds, texts = [sound(1, 300), sound(25, 700)], ["rain", "a long tone that goes on"]
    together = similarity.scores(sounds, texts)
    alone = [float(similarity.scores([one], [text])[0]) for one, text in zip(sounds, texts, strict=True)]
    assert together.tolist() == alone == similarity.scores(sounds, texts).tolist()
    assert len(set(alone)) == 2


def test_a_model_that_compares_no_text_with_audio_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(RecipeError, match="bert") as found:
        Similarity.load(tmp_path)
    assert "clap" in found.value.hint.lower()
    with pytest.raises(RecipeError, match="no model"):
        Similarity.load(tmp_path / "nowhere")


def test_the_curve_says_what_each_threshold_costs_and_brings() -> None:
    true, false = [0.1, 0.3, 0.5, 0.7], [0.0, 0.2, 0.4, 0.6]
    points = list(curve(true, false))
    assert [point.true_kept for point in points] == [1.0, 0.75, 0.5, 0.25]
    assert [point.false_kept for point in points] == [0.75, 0.5, 0.25, 0.0]
    assert threshold(true, false, keep=0.75) == points[1]
    assert threshold(true, false).threshold == 0.1
