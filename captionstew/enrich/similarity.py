"""Similarity: how near a text is to its audio for a CLAP-style model; a score to rank and to audit with.

It is never the only gate: LAION-CLAP's similarity does not follow people's preference among captions, and a threshold
on it throws most true captions away before it finds the false ones. What it costs is what `curve` shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from captionstew.enrich.quiet import quiet
from captionstew.errors import RecipeError, StewError

Samples = npt.NDArray[np.float32]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Point:
    """A threshold, and the shares of true and of false pairs that reach it."""

    threshold: float
    true_kept: float
    false_kept: float


@dataclass(frozen=True)
class Similarity:
    """A loaded model: transformers' CLAP with its processor, or a contrastive encoder that this package exported."""

    model: Any
    processor: Any  # None: the model takes samples and texts themselves
    sample_rate: int
    longest: int  # samples that are heard at once; longer clips are the mean of their windows

    @classmethod
    def load(cls, name: str | Path, *, revision: str | None = None, device: str = "cpu") -> Self:
        """The model of a folder or of the Hub; StewError as `checked` has it."""
        import transformers

        config = checked(name, revision)
        if config.model_type == "captionstew":
            import captionstew.train.auto  # noqa: F401  # tells AutoModel of our own

            with quiet():
                ours = transformers.AutoModel.from_pretrained(name, revision=revision).to(device).eval()
            return cls(ours, None, int(config.sampling_rate), 10 * int(config.sampling_rate))
        with quiet():
            clap = transformers.ClapModel.from_pretrained(name, revision=revision).to(device).eval()
            processor = transformers.ClapProcessor.from_pretrained(name, revision=revision)
        extractor = processor.feature_extractor
        return cls(clap, processor, int(extractor.sampling_rate), int(extractor.nb_max_samples))

    def scores(self, sounds: Sequence[Samples], texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Cosines (B,) of each sound, mono at `sample_rate`, with its text; each is the same in any batch."""
        assert len(sounds) == len(texts), (len(sounds), len(texts))
        audio_BD = np.stack([self.audio(samples) for samples in sounds])
        text_BD = np.concatenate([self.text(text) for text in texts])
        cosines: npt.NDArray[np.float32] = (audio_BD * text_BD).sum(1)
        return cosines

    def audio(self, samples: Samples) -> Vectors:
        """A vector (D,) of length one for a sound. Windows are cut here: the extractor would draw one by chance."""
        windows = [samples[begin : begin + self.longest] for begin in range(0, len(samples), self.longest)]
        kept = [w for w in windows if 2 * len(w) >= self.longest] or windows[:1]
        mean = np.concatenate([self._window(window) for window in kept]).mean(0)
        return np.asarray(mean / np.linalg.norm(mean), np.float32)

    def text(self, text: str) -> Vectors:
        """A vector (1, D) of length one for a text."""
        import torch

        with torch.inference_mode():
            if self.processor is None:
                return _unit(self.model.get_text_features([text]))
            tokens = self.processor.tokenizer([text], return_tensors="pt", truncation=True)
            return _unit(self.model.get_text_features(**tokens.to(self.model.device)))

    def _window(self, samples: Samples) -> Vectors:
        import torch

        with torch.inference_mode():
            if self.processor is None:
                sound_BS = torch.from_numpy(samples)[None].to(self.model.device)
                return _unit(self.model.get_audio_features(sound_BS))
            extractor = self.processor.feature_extractor
            inputs = extractor(samples, sampling_rate=self.sample_rate, return_tensors="pt")
            return _unit(self.model.get_audio_features(**inputs.to(self.model.device)))


def curve(true: Sequence[float], false: Sequence[float]) -> Iterator[Point]:
    """What each score of a true pair would cost and bring as threshold, from the lowest; for the report."""
    false_scores = np.sort(np.asarray(false, np.float64))
    ordered = np.sort(np.asarray(true, np.float64))
    for place, threshold in enumerate(ordered):
        above = len(false_scores) - np.searchsorted(false_scores, threshold, "left")
        yield Point(float(threshold), 1 - place / len(ordered), float(above) / max(1, len(false_scores)))


def threshold(true: Sequence[float], false: Sequence[float], keep: float = 0.99) -> Point:
    """The highest threshold that keeps this share of the true pairs; only a far tail is worth dropping."""
    assert len(true) > 0, "a threshold needs pairs that are known to be true"
    return max((point for point in curve(true, false) if point.true_kept >= keep), key=lambda p: p.threshold)


def checked(name: str | Path, revision: str | None = None) -> Any:
    """A model's configuration; StewError where transformers is not there, or the model compares no text with audio."""
    try:
        import transformers
    except ModuleNotFoundError as error:
        hint = "pip install 'captionstew[enrich]'"
        raise StewError("a similarity score needs transformers", cause=str(error), hint=hint) from error
    try:
        config = _config(transformers, str(name), revision)
    except (OSError, ValueError) as error:
        hint = "name a folder with config.json and model.safetensors, or a model of the Hub"
        raise RecipeError(f"no model can be read from {name}", cause=str(error), hint=hint) from error
    if config.model_type not in {"clap", "captionstew"}:
        hint = "choose a CLAP model, such as laion/clap-htsat-unfused, or a contrastive export"
        raise RecipeError(
            f"{name} compares no text with audio", cause=f"its kind is {config.model_type}", hint=hint
        )
    return config


def _config(transformers: Any, name: str, revision: str | None) -> Any:
    """The model's configuration; our own kind is registered where the folder says so."""
    plain, _ = transformers.PretrainedConfig.get_config_dict(name, revision=revision)
    if plain.get("model_type") == "captionstew":
        import captionstew.train.auto  # noqa: F401
    return transformers.AutoConfig.from_pretrained(name, revision=revision)


def _unit(features: Any) -> Vectors:
    """Vectors (B, D) of length one, of what this or an older transformers returns."""
    tensor = getattr(features, "pooler_output", features).float()
    unit: Vectors = (tensor / tensor.norm(dim=-1, keepdim=True)).cpu().numpy()
    return unit
