"""The contrastive objective: clips and captions meet in one space (CaptionStew §3, CLAP)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.objectives.duplicates import Duplicates, Pairs, caption_keys, hits, num_distinct
from captionstew.train.objectives.gather import gather_rows, sum_over_ranks
from captionstew.train.objectives.info_nce import InfoNCE
from captionstew.train.objectives.objective import Loss, Objective, Text
from captionstew.train.objectives.pooling import How, Kind, Pooling, Projection, unit
from captionstew.train.objectives.siglip import SigLIP
from captionstew.train.ranks import world
from captionstew.train.text.tokens import Tokens
from captionstew.train.text.tower import TextTower


class Contrastive(Objective):
    """A clip's vector is near those of its captions and far from all others of the batch, over all ranks.

    Audio: each frame is projected, then pooled; text: pooled, then projected; both to unit vectors of `embedding`.
    `tower` and `tokens` may be given by their settings. Auden's setup: mean and first token, "mlp", 1024, a fixed
    temperature of 0.07, 30 tokens, `norm_weight` 1; it sums over rows where this takes the mean.
    StewError if the tower cannot read what the tokenizer writes.
    """

    def __init__(
        self,
        frame_width: int,
        tower: TextTower | Mapping[str, Any],
        tokens: Tokens | Mapping[str, Any],
        *,
        embedding: int = 1024,
        pooling: How = "mean",
        text_pooling: How = "first",
        projection: Kind = "mlp",
        loss: Literal["infonce", "siglip"] = "infonce",
        temperature: float | None = None,  # 0.07, or 0.1 for SigLIP
        learnable: bool = True,
        duplicates: Duplicates = "positives",
        norm_weight: float = 0.0,
        chunk: int = 1024,
    ) -> None:
        super().__init__()
        self._settings = {
            "frame_width": frame_width, "embedding": embedding, "pooling": pooling, "text_pooling": text_pooling,
            "projection": projection, "loss": loss, "temperature": temperature, "learnable": learnable,
            "duplicates": duplicates, "norm_weight": norm_weight, "chunk": chunk,
        }  # fmt: skip
        self.tower = tower if isinstance(tower, TextTower) else TextTower(**tower)
        self.tokens = tokens if isinstance(tokens, Tokens) else Tokens(**tokens)
        _check(self.tower, self.tokens)
        self.audio_projection = Projection(projection, frame_width, embedding)
        self.audio_pooling = Pooling(pooling, embedding)
        self.text_pooling = Pooling(text_pooling, self.tower.width)
        self.text_projection = Projection(projection, self.tower.width, embedding)
        self.loss: InfoNCE | SigLIP = (
            InfoNCE(temperature or 0.07, learnable)
            if loss == "infonce"
            else SigLIP(temperature or 0.1, learnable)
        )
        self.duplicates, self.norm_weight, self.chunk = duplicates, norm_weight, chunk

    def tokenize(self, captions: Sequence[str]) -> Text:
        """The captions as tensors, on the CPU; called in the loader's threads."""
        return self.tokens(captions)

    def forward(
        self, frames_BTD: Tensor, lengths_B: Tensor, text: Text, clips_B: Tensor | None = None
    ) -> Loss:
        """The loss of a batch; with clip numbers, all captions of one clip are right for it."""
        keys_BK = self.keys(text, clips_B)
        audio_BD = self.embed_audio(frames_BTD, lengths_B)
        return self.match(audio_BD, self.embed_text(text), keys_BK, text.num_truncated)

    def embed_audio(self, frames_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Unit vectors (B, embedding) of clips."""
        return unit(self.audio_pooling(self.audio_projection(frames_BTD), lengths_B))

    def embed_text(self, text: Text) -> Tensor:
        """Unit vectors (B, embedding) of captions."""
        hidden_BLD, _ = self.tower(text)
        return unit(self.text_projection(self.text_pooling(hidden_BLD, text.lengths_B)))

    def keys(self, text: Text, clips_B: Tensor | None = None) -> Tensor:
        """Numbers (B, K) of which two pairs share one where the caption of one is right for the clip of the other."""
        captions_B = caption_keys(text)
        return (
            captions_B[:, None] if clips_B is None else torch.stack([captions_B, clips_B.to(captions_B)], 1)
        )

    def match(self, audio_BD: Tensor, text_BD: Tensor, keys_BK: Tensor, num_truncated: int = 0) -> Loss:
        """The loss between unit vectors; its parts are those of the whole batch on every rank.

        `chance` is the loss of a model that knows nothing: one that stays there does not learn.
        """
        pairs = Pairs.of(keys_BK, self.duplicates, self.chunk)
        all_text_BD = gather_rows(text_BD, pairs.counts)
        part = self.loss(audio_BD, all_text_BD, pairs) + self.norm_weight * _spread(audio_BD, text_BD, pairs)
        with torch.no_grad():
            accuracy = hits(audio_BD, all_text_BD, pairs)
            distinct = num_distinct(pairs.keys_BK[:, 0])
            sums = sum_over_ranks(torch.stack([part / world(), part.new_full((), num_truncated)]))
        parts = {
            "loss": sums[0], "temperature": (-self.loss.log_scale.detach()).exp(),
            "audio_to_text": accuracy[0], "text_to_audio": accuracy[1],
            "chance": part.new_full((), self.loss.chance(pairs.num_all)),
            "distinct": distinct, "duplicates": pairs.num_all - distinct, "truncated": sums[1],
        }  # fmt: skip
        return Loss(part, parts, pairs.num_all)

    def after_step(self) -> None:
        """To be called after each step of the optimiser: the temperature keeps its bounds."""
        self.loss.after_step()

    def settings(self) -> Mapping[str, Any]:
        """What rebuilds this objective, without its weights: the arguments of its constructor."""
        return {**self._settings, "tower": self.tower.settings(), "tokens": self.tokens.settings()}


def _spread(audio_BD: Tensor, text_BD: Tensor, pairs: Pairs) -> Tensor:
    """Auden's regulariser, mean |e| over the norm of all e, of both sides; a rank's part of it.

    The norm of B unit vectors is the root of B, also to its gradient, which only turns them.
    """
    total = audio_BD.abs().sum() + text_BD.abs().sum()
    return total * (world() / (pairs.num_all * math.sqrt(pairs.num_all) * audio_BD.shape[1]))


def _check(tower: TextTower, tokens: Tokens) -> None:
    if tokens.size > tower.vocab_size:
        hint = "give the tower the tokenizer that it was trained with"
        cause = f"{tokens.size} ids for a tower of {tower.vocab_size}"
        raise StewError("tokenizer and text tower do not fit", cause=cause, where=str(tokens.name), hint=hint)
    if tower.max_length and tokens.max_length > tower.max_length:
        hint = f"set max_length to {tower.max_length} or less"
        raise StewError(
            f"the text tower reads no {tokens.max_length} tokens", where=str(tokens.name), hint=hint
        )
