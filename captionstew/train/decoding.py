"""Captions from a decoder: the likeliest next token each time, or a beam of the likeliest beginnings."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from captionstew.train.text.decoder import Decoder, Draft


@dataclass(frozen=True)
class Search:
    """How captions are looked for: `num_beams` beginnings at a time, at most `max_tokens` with the end token.

    A caption's worth is its log-likelihood over its length to the power of `length_penalty` (Wu et al. 2016 §7, as
    transformers has it). No sequence of `no_repeat` tokens comes twice, if not 0. With `early_stop` a clip is done
    with as many ended captions as beams, otherwise only when none better can follow.
    """

    num_beams: int = 1
    max_tokens: int = 128
    length_penalty: float = 1.0
    no_repeat: int = 0
    early_stop: bool = True


@dataclass(frozen=True)
class Marks:
    """Token ids with a meaning: what stands before a caption, what ends and fills it, what never stands in it."""

    prompt: tuple[int, ...]
    eos: int
    pad: int
    never: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """A caption for each clip without its prompt, its length with the end token, if one came, its log-likelihood."""

    ids_BL: Tensor
    lengths_B: Tensor
    scores_B: Tensor


def search(decoder: Decoder, frames_BTD: Tensor, lengths_B: Tensor, marks: Marks, how: Search) -> Found:
    """The caption that `how` finds for each clip; the decoder is in evaluation mode."""
    find = greedy if how.num_beams == 1 else beam
    return find(decoder, frames_BTD, lengths_B, marks, how)


@torch.no_grad()
def greedy(decoder: Decoder, frames_BTD: Tensor, lengths_B: Tensor, marks: Marks, how: Search) -> Found:
    """The likeliest token after what was written, again and again until the end token; `how.num_beams` is not asked."""
    num_clips, device = len(frames_BTD), frames_BTD.device
    draft, hidden = _begin(decoder, frames_BTD, lengths_B, marks, 1)
    ids_BL = torch.empty(num_clips, 0, dtype=torch.int64, device=device)
    scores, alive = (
        torch.zeros(num_clips, device=device),
        torch.ones(num_clips, dtype=torch.bool, device=device),
    )
    lengths = torch.zeros_like(lengths_B)
    for left in reversed(range(_most(decoder, marks, how))):
        best, token = _log_shares(decoder, hidden, ids_BL, marks, how).max(-1)
        token = token.where(alive, marks.pad)
        ids_BL = torch.cat((ids_BL, token[:, None]), 1)
        scores, lengths = scores + best.where(alive, 0.0), lengths + alive
        alive = alive & (token != marks.eos)
        if not left or not alive.any():
            break
        hidden = draft.extend(token)
    return Found(ids_BL, lengths, scores)


@torch.no_grad()
def beam(decoder: Decoder, frames_BTD: Tensor, lengths_B: Tensor, marks: Marks, how: Search) -> Found:
    """The worthiest of the captions that end while `how.num_beams` beginnings per clip are followed."""
    num_clips, num_beams, most = len(frames_BTD), how.num_beams, _most(decoder, marks, how)
    draft, hidden = _begin(decoder, frames_BTD, lengths_B, marks, num_beams)
    ended = _Ended(num_clips, num_beams, most, marks.pad, frames_BTD.device)
    ids_NL = torch.empty(num_clips * num_beams, 0, dtype=torch.int64, device=frames_BTD.device)
    scores_BK = torch.full((num_clips, num_beams), -torch.inf, device=frames_BTD.device)
    scores_BK[:, 0] = 0  # all beams begin alike: only one of them counts
    for length in range(1, most + 1):
        shares = _log_shares(decoder, hidden, ids_NL, marks, how).view(num_clips, num_beams, -1)
        # Twice as many candidates as beams: should all beams end, as many others go on.
        scores, flat = (scores_BK[..., None] + shares).flatten(1).topk(2 * num_beams)
        parents, tokens = flat // shares.shape[-1], flat % shares.shape[-1]
        ids_BCL = _follow(ids_NL.view(num_clips, num_beams, -1), parents, tokens)
        ends = tokens == marks.eos
        foremost = torch.arange(2 * num_beams, device=ends.device) < num_beams
        ended.add(ids_BCL, scores.masked_fill(~(ends & foremost), -torch.inf), length, how.length_penalty)
        scores_BK, kept = scores.masked_fill(ends, -torch.inf).topk(num_beams)
        if length == most:
            ended.add(_pick(ids_BCL, kept), scores_BK, length, how.length_penalty)
        elif ended.close(scores_BK[:, 0], length, most, how):
            break
        else:
            ids_NL = _pick(ids_BCL, kept).flatten(0, 1)
            offsets = num_beams * torch.arange(num_clips, device=kept.device)[:, None]
            draft.select((parents.gather(1, kept) + offsets).flatten())
            hidden = draft.extend(ids_NL[:, -1])
    return ended.best()


class _Ended:
    """The worthiest captions of each clip that have ended, as many as beams, and which clips want no more."""

    def __init__(self, num_clips: int, num_beams: int, most: int, pad: int, device: torch.device) -> None:
        self.pad, self.ids_BKL = pad, torch.full((num_clips, num_beams, most), pad, device=device)
        self.worth_BK = torch.full((num_clips, num_beams), -torch.inf, device=device)
        self.scores_BK, self.lengths_BK = self.worth_BK.clone(), self.ids_BKL[..., 0] * 0
        self.closed_B = torch.zeros(num_clips, dtype=torch.bool, device=device)

    def add(self, ids_BCL: Tensor, scores_BC: Tensor, length: int, penalty: float) -> None:
        """Captions of this length have ended; those with a score of minus infinity have not."""
        scores_BC = scores_BC.masked_fill(self.closed_B[:, None], -torch.inf)
        worth = torch.cat((self.worth_BK, scores_BC / length**penalty), 1)
        longer = functional.pad(ids_BCL, (0, self.ids_BKL.shape[2] - length), value=self.pad)
        self.worth_BK, kept = worth.topk(self.worth_BK.shape[1])
        self.ids_BKL = _pick(torch.cat((self.ids_BKL, longer), 1), kept)
        self.scores_BK = torch.cat((self.scores_BK, scores_BC), 1).gather(1, kept)
        lengths = torch.cat((self.lengths_BK, torch.full_like(scores_BC, length, dtype=torch.int64)), 1)
        self.lengths_BK = lengths.gather(1, kept)

    def close(self, best_B: Tensor, length: int, most: int, how: Search) -> bool:
        """Clips that have enough are closed; True once all are."""
        if how.early_stop:
            full_B = self.worth_BK[:, -1] > -torch.inf
        else:  # a log-likelihood only falls: nothing that follows is worth more than this
            most_worth = best_B / max(length**how.length_penalty, most**how.length_penalty)
            full_B = most_worth <= self.worth_BK[:, 0]
        self.closed_B |= full_B
        return bool(self.closed_B.all())

    def best(self) -> Found:
        """The worthiest of each clip, cut to the longest."""
        lengths_B = self.lengths_BK[:, 0]
        return Found(self.ids_BKL[:, 0, : int(lengths_B.max())], lengths_B, self.scores_BK[:, 0])


def _begin(
    decoder: Decoder, frames_BTD: Tensor, lengths_B: Tensor, marks: Marks, num_beams: int
) -> tuple[Draft, Tensor]:
    assert not decoder.training, "call eval() first: with dropout a clip's caption would differ each time"
    draft = decoder.begin(frames_BTD, lengths_B, num_beams)
    for mark in marks.prompt:
        hidden = draft.extend(torch.full_like(lengths_B, mark).repeat_interleave(num_beams))
    return draft, hidden


def _most(decoder: Decoder, marks: Marks, how: Search) -> int:
    return min(how.max_tokens, decoder.max_positions - len(marks.prompt))


def _log_shares(decoder: Decoder, hidden_ND: Tensor, ids_NL: Tensor, marks: Marks, how: Search) -> Tensor:
    """Log-probabilities (N, V) of the next token, minus infinity for what may not come."""
    shares_NV = decoder.logits(hidden_ND).log_softmax(-1)
    if marks.never:
        shares_NV[:, list(marks.never)] = -torch.inf
    if 0 < how.no_repeat <= ids_NL.shape[1]:
        _forbid(shares_NV, ids_NL, how.no_repeat)
    return shares_NV


def _forbid(shares_NV: Tensor, ids_NL: Tensor, size: int) -> None:
    """Tokens that would complete a sequence of `size` tokens for the second time get minus infinity."""
    windows = ids_NL.unfold(1, size, 1)
    same = (windows[..., :-1] == ids_NL[:, None, ids_NL.shape[1] - size + 1 :]).all(-1)
    shares_NV.scatter_add_(
        1, windows[..., -1], torch.zeros_like(same, dtype=shares_NV.dtype).masked_fill(same, -torch.inf)
    )


def _follow(ids_BKL: Tensor, parents_BC: Tensor, tokens_BC: Tensor) -> Tensor:
    return torch.cat((_pick(ids_BKL, parents_BC), tokens_BC[..., None]), -1)


def _pick(ids_BCL: Tensor, which_BK: Tensor) -> Tensor:
    return ids_BCL.gather(1, which_BK[..., None].expand(-1, -1, ids_BCL.shape[2]))
