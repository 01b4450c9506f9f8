"""Models that name sound events: audio in, one score per AudioSet class out. Importing this imports torch."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from captionstew.enrich.ontology import ontology
from captionstew.enrich.quiet import quiet
from captionstew.errors import RecipeError, StewError
from captionstew.train.encoders.families import Spectrogram
from captionstew.train.encoders.zipformer.hub import weights_in
from captionstew.train.encoders.zipformer.tagging import ZipformerTagger
from captionstew.train.precision import Precision

Samples = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]

_WINDOW = 10.0  # seconds, of models that hear any length: what AudioSet's clips last
_SPECTROGRAM = "audio-spectrogram-transformer"


class Tagger(Protocol):
    """A loaded model. `longest` samples are heard at once; windows of several lengths share a batch where `mixes`."""

    device: torch.device
    sample_rate: int
    longest: int
    mixes: bool

    def scores(self, batch: Sequence[Samples]) -> Scores:
        """Sigmoid scores (B, 527) in AudioSet's order; a row does not depend on the others."""


class Pretrained:
    """Any audio-classification model of transformers that a folder holds.

    AST's features come from our own mel, a batch at a time and on the model's device; they are those of its extractor.
    Others go through their own extractor, windows of one length at a time, so that no padding is ever heard.
    """

    def __init__(self, folder: Path, device: torch.device, precision: Precision) -> None:
        self.device, self.precision = device, precision
        model, self.extractor = _loaded(folder)
        self.model = model.to(device).eval()
        self.sample_rate = int(self.extractor.sampling_rate)
        self.places = outputs(self.model.config.id2label, str(folder))
        spectrogram = self.model.config.model_type == _SPECTROGRAM
        self.family = Spectrogram(self.model, self.extractor.to_dict()) if spectrogram else None
        fixed = self.family.longest if self.family else getattr(self.extractor, "n_samples", None)
        self.mixes = fixed is not None
        self.longest = int(fixed or _WINDOW * self.sample_rate)

    @torch.inference_mode()
    def scores(self, batch: Sequence[Samples]) -> Scores:
        """Sigmoid, not softmax: several sounds are there at once."""
        with self.precision.autocast(self.device):
            logits_BC = self.model(**self._inputs(batch)).logits
        return _spread(logits_BC, self.places)

    def _inputs(self, batch: Sequence[Samples]) -> Mapping[str, Tensor]:
        if self.family is None:
            made = self.extractor(list(batch), sampling_rate=self.sample_rate, return_tensors="pt")
            return {name: value.to(self.device) for name, value in made.items()}
        audio_BS, lengths_B = _padded(batch, self.device)
        with torch.autocast(self.device.type, enabled=False):
            return self.family.inputs(*self.family.features(audio_BS, lengths_B))


class Zipformer:
    """Our Zipformer with icefall's tagging head; padding changes nothing, so windows of any length share a batch."""

    mixes = True

    def __init__(self, path: Path, device: torch.device, precision: Precision) -> None:
        self.device, self.precision = device, precision
        self.model = ZipformerTagger.load(path).to(device).eval()
        if (found := self.model.classifier.out_features) != len(ontology().classes):
            hint = "choose a checkpoint of icefall's AudioSet recipe (egs/audioset/AT)"
            raise RecipeError(
                f"the tagger has {found} classes, not AudioSet's 527", where=str(path), hint=hint
            )
        self.sample_rate = self.model.encoder.sample_rate
        self.longest = int(_WINDOW * self.sample_rate)

    @torch.inference_mode()
    def scores(self, batch: Sequence[Samples]) -> Scores:
        """Sigmoid of the frames' mean logits."""
        audio_BS, lengths_B = _padded(batch, self.device)
        with self.precision.autocast(self.device):
            logits_BC = self.model(*self.model.encoder.features(audio_BS, lengths_B))
        return _spread(logits_BC, np.arange(logits_BC.shape[1]))


def load(path: Path, device: str = "auto", precision: str = "float32") -> Tagger:
    """The model in a folder or checkpoint file; StewError where it cannot be used, before any clip is heard."""
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    formats = Precision.of(precision, where)  # type: ignore[arg-type]
    if path.is_file():
        return Zipformer(path, where, formats)
    config = path / "config.json"
    facts = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    ours = facts.get("model_type", "zipformer") == "zipformer"
    return Zipformer(weights_in(path), where, formats) if ours else Pretrained(path, where, formats)


def outputs(labels: Mapping[int, str], where: str) -> npt.NDArray[np.int64]:
    """The class of each of a model's outputs, by display name or machine id; RecipeError for any other label."""
    known = ontology()
    names = [known.canonical(str(labels[place])) for place in sorted(labels)]
    strange = [
        labels[place] for place, name in zip(sorted(labels), names, strict=True) if name not in known.places
    ]
    if strange or len(set(names)) != len(names):
        cause = f"{len(strange)} of {len(labels)} labels are no AudioSet class: {', '.join(map(str, strange[:3]))}"
        hint = "choose a model fine-tuned on AudioSet, whose config.json has the display names in id2label"
        cause = cause if strange else "two of its labels are one class"
        raise RecipeError("the model's labels are not AudioSet's", cause=cause, where=where, hint=hint)
    return np.array([known.places[name] for name in names])


def _loaded(folder: Path) -> tuple[Any, Any]:
    """Model and feature extractor; StewError unless both are there, and every weight."""
    from transformers import AutoFeatureExtractor, AutoModelForAudioClassification

    try:
        with quiet():
            extractor = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
            model, found = AutoModelForAudioClassification.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
            )
    except (OSError, ValueError) as error:
        cause = str(error).strip().splitlines()[0]
        hint = "give an audio-classification model with config.json, preprocessor_config.json and weights"
        raise StewError("this is no audio classifier", cause=cause, where=str(folder), hint=hint) from error
    if missing := sorted(found["missing_keys"]):
        cause = f"its weights lack {missing[0]}"
        hint = "choose a fine-tuned model: an encoder without its classifier would answer at random"
        raise StewError("the model is not whole", cause=cause, where=str(folder), hint=hint)
    return model, extractor


def _padded(batch: Sequence[Samples], device: torch.device) -> tuple[Tensor, Tensor]:
    audio = np.zeros((len(batch), max(map(len, batch))), np.float32)
    for row, samples in zip(audio, batch, strict=True):
        row[: len(samples)] = samples
    lengths = torch.tensor([len(samples) for samples in batch])
    return torch.from_numpy(audio).to(device), lengths.to(device)


def _spread(logits_BC: Tensor, places: npt.NDArray[np.int64]) -> Scores:
    """Scores in AudioSet's order; classes that the model does not know score 0."""
    scores = np.zeros((len(logits_BC), len(ontology().classes)), np.float32)
    scores[:, places] = logits_BC.float().sigmoid().cpu().numpy()
    return scores
