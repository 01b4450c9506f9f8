"""Periodic validation on clips that are not trained on: loss, retrieval, and captions to read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from captionstew.train.data import TrainingData
from captionstew.train.decoding import Search
from captionstew.train.folder import SAMPLES, RunFolder
from captionstew.train.learner import Learner
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.hybrid import Hybrid, PairedText
from captionstew.train.objectives.objective import Objective, Text
from captionstew.train.ranks import gather, rank, world
from captionstew.train.retrieval import retrieval

_SHOWN = 8  # captions to read, evenly spread over the lengths


@dataclass(frozen=True)
class Validation:
    """One pass over held-out clips, shared among the ranks: the same figures for any number of them."""

    data: TrainingData
    folder: RunFolder
    device: torch.device

    def __call__(self, learner: Learner, step: int) -> Mapping[str, float]:
        """Figures: R@1, R@5, R@10 and ranks both ways among `pairs` of distinct captions; `loss` of captions."""
        training = learner.training
        learner.eval()
        try:
            with torch.inference_mode():
                mine = self._pass(learner)
        finally:
            learner.train(training)
        seen = [one for few in gather(mine) for one in few]
        seen.sort(key=lambda one: int(one.clips[0]))  # whoever saw them
        self._write(seen, step)
        return _figures(seen)

    def _pass(self, learner: Learner) -> list["_Seen"]:
        contrastive, captioning = parts_of(learner.objective)
        plan, seen = self.data.plan, []
        every = max(
            1, sum(len(plan.window(number)) for number in range(plan.num_windows)) // world() // _SHOWN
        )
        for number, batch in enumerate(self.data):
            moved = batch.to(self.device)
            frames_BTD, lengths_B = learner.embed(moved)
            one = _Seen(torch.from_numpy(batch.clips), batch.captions)
            if contrastive is not None:
                one.audio_BD = contrastive.embed_audio(frames_BTD, lengths_B).float().cpu()
                one.text_BD = contrastive.embed_text(text_for(contrastive, moved.text)).float().cpu()
            if captioning is not None:
                loss = captioning(frames_BTD, lengths_B, text_for(captioning, moved.text))
                one.loss, one.weight = float(loss.total), int(loss.weight)
                if number % every == 0:
                    one.decoded = captioning.caption(frames_BTD[:1], lengths_B[:1], Search(num_beams=4))
                    one.names = batch.names()[:1]
            seen.append(one)
        return seen

    def _write(self, seen: Sequence["_Seen"], step: int) -> None:
        """What was decoded is written down beside the references, by rank 0."""
        pairs = [{"clip": name, "decoded": text, "reference": one.captions[0]}
                 for one in seen for name, text in zip(one.names, one.decoded, strict=True)]  # fmt: skip
        if pairs and rank() == 0:
            with (self.folder.path / SAMPLES).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "captions": pairs}, ensure_ascii=False) + "\n")


@dataclass
class _Seen:
    """What a rank found in a batch."""

    clips: Tensor
    captions: list[str]
    audio_BD: Tensor = field(default_factory=lambda: torch.empty(0))
    text_BD: Tensor = field(default_factory=lambda: torch.empty(0))
    loss: float = 0.0
    weight: int = 0
    names: list[str] = field(default_factory=list)  # of clips whose captions were decoded
    decoded: list[str] = field(default_factory=list)


def parts_of(objective: Objective) -> tuple[Contrastive | None, Captioning | None]:
    """The contrastive and the captioning objective, as far as there are."""
    if isinstance(objective, Hybrid):
        return objective.contrastive, objective.captioning
    contrastive = objective if isinstance(objective, Contrastive) else None
    return contrastive, objective if isinstance(objective, Captioning) else None


def text_for(objective: Objective, text: Text) -> Text:
    """The tokens of one of two objectives."""
    if not isinstance(text, PairedText):
        return text
    return text.contrastive if isinstance(objective, Contrastive) else text.captioning


def _figures(seen: list[_Seen]) -> dict[str, float]:
    figures: dict[str, float] = {}
    weight = sum(one.weight for one in seen)
    if weight:
        figures["loss"] = sum(one.loss * one.weight for one in seen) / weight
    if seen and len(seen[0].audio_BD):
        first_N = _distinct([caption for one in seen for caption in one.captions])
        audio_ND, text_ND = (
            torch.cat([getattr(one, side) for one in seen]) for side in ("audio_BD", "text_BD")
        )
        figures |= retrieval(audio_ND[first_N], text_ND[first_N], torch.arange(len(first_N))).figures()
        figures["pairs"] = float(len(first_N))
    return figures


def _distinct(captions: Sequence[str]) -> Tensor:
    """The rows at which a caption comes first: clips that share their words cannot be told apart by them."""
    first: dict[str, int] = {}
    for row, caption in enumerate(captions):
        first.setdefault(caption, row)
    return torch.tensor(list(first.values()))
