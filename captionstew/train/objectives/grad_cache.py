"""GradCache: the gradient of a contrastive batch of any size, in the memory of one of its chunks (Gao et al. 2021)."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from captionstew.train.encoders.encoder import Encoder
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.objective import Loss, Text

Chunk = tuple[Tensor, Tensor, Text]  # features_BTF, lengths_B, the captions


class Replayable(Protocol):
    """An encoder's own randomness, from which the same draws can be had twice."""

    def draws(self) -> Any:
        """Where it stands."""

    def replay(self, draws: Any) -> AbstractContextManager[None]:
        """Inside, what came after `draws` comes again."""


def grad_cache_step(
    encoder: Encoder,
    objective: Contrastive,
    batches: Sequence[Chunk],
    clips: Sequence[Tensor] | None = None,
    scale: float = 1.0,
) -> Loss:
    """Gradients of `scale` times the loss over all chunks together are in place, as `backward` would leave them.

    The chunks pass twice: once without graph for the embeddings, once more, with the same random draws, to take the
    embeddings' gradients on. Over ranks the gradients are to be averaged afterwards, as those of any step; ranks may
    have different numbers of chunks. The loss is detached.
    """
    began, rows = [], []
    with torch.no_grad():
        for chunk in batches:
            began.append(_Random.of(encoder, chunk[0].device))
            rows.append(_embed(encoder, objective, chunk))
    torch.clear_autocast_cache()  # not every torch casts the weights again for a graph
    texts = [text for _, _, text in batches]
    numbers = [None] * len(texts) if clips is None else clips
    keys_BK = torch.cat([objective.keys(text, few) for text, few in zip(texts, numbers, strict=True)])
    audio_BD, text_BD = (torch.cat(side).requires_grad_() for side in zip(*rows, strict=True))
    loss = objective.match(audio_BD, text_BD, keys_BK, sum(text.num_truncated for text in texts))
    (loss.total * scale).backward()  # type: ignore[no-untyped-call]
    sizes = [len(text.ids_BL) for text in texts]
    pulls = zip(*(torch.split(_gradient(side), sizes) for side in (audio_BD, text_BD)), strict=True)
    for chunk, random, pull in zip(batches, began, pulls, strict=True):
        with random.again(encoder):
            _backward(_embed(encoder, objective, chunk), pull)
    return Loss(loss.total.detach(), loss.parts, loss.weight)


def _embed(encoder: Encoder, objective: Contrastive, chunk: Chunk) -> tuple[Tensor, Tensor]:
    features_BTF, lengths_B, text = chunk
    return objective.embed_audio(*encoder(features_BTF, lengths_B)), objective.embed_text(text)


def _backward(sides: tuple[Tensor, Tensor], pulls: tuple[Tensor, Tensor]) -> None:
    """A side that is frozen altogether has no graph to go through."""
    both = [(side, pull) for side, pull in zip(sides, pulls, strict=True) if side.requires_grad]
    torch.autograd.backward([side for side, _ in both], [pull for _, pull in both])


def _gradient(embedding_BD: Tensor) -> Tensor:
    assert embedding_BD.grad is not None, "the loss does not depend on the embeddings"
    return embedding_BD.grad


@dataclass(frozen=True)
class _Random:
    """Where all randomness stood: torch's on the CPU and on the device, and the encoder's own."""

    cpu: Tensor
    device: torch.device
    cuda: Tensor | None
    draws: Any

    @classmethod
    def of(cls, encoder: Encoder, device: torch.device) -> "_Random":
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        chance = _chance(encoder)
        return cls(torch.get_rng_state(), device, cuda, chance.draws() if chance else None)

    @contextmanager
    def again(self, encoder: Encoder) -> Iterator[None]:
        """Inside, the draws are those that came after this moment; afterwards they go on where they stood before."""
        chance = _chance(encoder)
        devices = [self.device] if self.cuda is not None else []
        with torch.random.fork_rng(devices), chance.replay(self.draws) if chance else nullcontext():
            torch.set_rng_state(self.cpu)
            if self.cuda is not None:
                torch.cuda.set_rng_state(self.cuda, self.device)
            yield


def _chance(encoder: Encoder) -> Replayable | None:
    chance: Replayable | None = getattr(encoder, "chance", None)
    return chance
