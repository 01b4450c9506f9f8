"""Trained models under transformers' Auto classes: importing this module is what makes `AutoModel` know them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from captionstew.errors import StewError
from captionstew.train.blueprint import built_encoder, built_objective
from captionstew.train.encoders.hub import fetched
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.hybrid import Hybrid
from captionstew.train.objectives.pooling import Pooling

WEIGHTS = "model.safetensors"
_HUB = "revision", "token", "cache_dir", "local_files_only"  # of the options of from_pretrained


class CaptionStewConfig(PretrainedConfig):  # type: ignore[misc]
    """The blueprint of an exported model: `encoder`, and `objective` unless it is an encoder alone."""

    model_type = "captionstew"

    def __init__(
        self,
        encoder: dict[str, Any] | None = None,
        objective: dict[str, Any] | None = None,
        sampling_rate: int = 16_000,
        hidden_size: int = 0,
        **others: Any,
    ) -> None:
        self.encoder, self.objective = encoder or {}, objective
        self.sampling_rate, self.hidden_size = sampling_rate, hidden_size
        super().__init__(**others)


@dataclass
class AudioOutput(BaseModelOutputWithPooling):  # type: ignore[misc]
    """Frames (B, T, D), of which the first `lengths` of each item are its own, and one vector per item."""

    lengths: Tensor | None = None


class CaptionStewModel(PreTrainedModel):  # type: ignore[misc]
    """An exported encoder with what it was trained with: projections and text tower, or caption decoder."""

    config_class = CaptionStewConfig
    main_input_name = "input_values"
    _supports_sdpa = True

    def __init__(self, config: CaptionStewConfig, folder: Path = Path()) -> None:
        super().__init__(config)
        plan = {"encoder": config.encoder, "objective": config.objective}
        self.encoder = built_encoder(plan)
        self.objective = built_objective(plan, folder)
        self.mean = Pooling("mean", self.encoder.width)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *_: Any, dtype: torch.dtype | None = None, **options: Any
    ) -> Self:
        """The model of a folder or a Hub name, ready to evaluate.

        Of transformers' options it takes `dtype`, and those that name a revision, a token or a cache of the Hub.
        """
        known = {key: options[key] for key in _HUB if key in options}
        folder = Path(name) if Path(name).is_dir() else fetched(str(name), **known)
        model: Self = cls(CaptionStewConfig.from_pretrained(folder), folder)
        model.load_state_dict(load_file(folder / WEIGHTS))
        model.to(dtype or torch.float32).eval()
        return model

    def forward(
        self, input_values: Tensor, attention_mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> AudioOutput:
        """Frames and pooled vectors of waves (B, S) in -1..1, whose items end where the mask or `lengths` say.

        Pooled vectors are those that captions are compared with, of length one, or else the mean of the frames.
        """
        frames_BTD, lengths_B = self._heard(input_values, attention_mask, lengths)
        contrastive = self._part(Contrastive)
        pool = contrastive.embed_audio if contrastive else self.mean
        return AudioOutput(
            last_hidden_state=frames_BTD, pooler_output=pool(frames_BTD, lengths_B), lengths=lengths_B
        )

    def get_audio_features(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Unit vectors (B, D) in the space of captions."""
        self._needed(Contrastive, "text tower")
        pooled: Tensor = self(input_values, attention_mask).pooler_output
        return pooled

    def get_text_features(self, captions: Sequence[str]) -> Tensor:
        """Unit vectors (B, D) of captions in the space of audio."""
        contrastive = self._needed(Contrastive, "text tower")
        vectors: Tensor = contrastive.embed_text(contrastive.tokenize(list(captions)).to(self.device))
        return vectors

    def caption(self, input_values: Tensor, attention_mask: Tensor | None = None) -> list[str]:
        """A caption for each clip, the likeliest token after the other."""
        captioning = self._needed(Captioning, "caption decoder")
        captions: list[str] = captioning.caption(*self._heard(input_values, attention_mask, None))
        return captions

    def _heard(
        self, audio_BS: Tensor, mask: Tensor | None, lengths_B: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        if lengths_B is None:
            full_B = audio_BS.new_full((len(audio_BS),), audio_BS.shape[1], dtype=torch.int64)
            lengths_B = full_B if mask is None else mask.sum(1)
        features_BTF, lengths_B = self.encoder.features(audio_BS.float(), lengths_B)
        frames: tuple[Tensor, Tensor] = self.encoder(features_BTF.to(self.dtype), lengths_B)
        return frames

    def _needed(self, kind: type[Any], name: str) -> Any:
        part = self._part(kind)
        if part is None:
            raise StewError(
                f"this model was exported without a {name}", hint="export one that was trained with it"
            )
        return part

    def _part(self, kind: type[Any]) -> Any:
        parts = (
            [self.objective.contrastive, self.objective.captioning]
            if isinstance(self.objective, Hybrid)
            else []
        )
        return next((part for part in [self.objective, *parts] if isinstance(part, kind)), None)

    def _init_weights(self, module: Any) -> None:
        """Every part has its own way of beginning."""


AutoConfig.register(CaptionStewConfig.model_type, CaptionStewConfig, exist_ok=True)
AutoModel.register(CaptionStewConfig, CaptionStewModel, exist_ok=True)
