"""Captioning: a decoder that writes the caption while it looks at the encoder's frames."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.decoding import Marks, Search, search
from captionstew.train.objectives.gather import row_counts, sum_over_ranks
from captionstew.train.objectives.mixture import Mixture, Task, Tosses
from captionstew.train.objectives.objective import Loss, Objective, Text
from captionstew.train.objectives.vocabulary import Predicted, cross_entropy
from captionstew.train.ranks import rank, world
from captionstew.train.seeds import seed_of
from captionstew.train.text.decoder import Decoder
from captionstew.train.text.scratch import ScratchDecoder, Shape
from captionstew.train.text.tokens import Tokens


@dataclass(frozen=True)
class CountedText(Text):
    """Text that knows how many tokens follow <s> in all its captions, so that no device need be asked."""

    num_targets: int = 0


class Captioning(Objective):
    """The mean cross-entropy of all tokens of all ranks' captions, some predicted one by one, some at once.

    Both kinds pass the decoder together. Which captions are which follows from `chance`: from its seed and the number
    of batches since. In evaluation it is the same for each batch of a size, and a rank's loss is of its own captions.
    """

    def __init__(
        self,
        tokens: Tokens | Mapping[str, Any],
        decoder: Decoder | Mapping[str, Any],
        mixture: Mixture | Mapping[str, Any] | None = None,
        label_smoothing: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.tokens = tokens = tokens if isinstance(tokens, Tokens) else Tokens(**tokens)
        self.decoder = decoder if isinstance(decoder, Decoder) else _made(**decoder)
        self.mixture = mixture if isinstance(mixture, Mixture) else Mixture(**mixture or {})
        self.label_smoothing, self.seed, self.chance = label_smoothing, seed, Tosses(seed_of(seed, rank()))
        before = (tokens.bos,) if self.decoder.start == "bos" else (tokens.eos, tokens.bos)
        never = tuple({tokens.pad, tokens.bos, tokens.mask} - {tokens.eos})
        self.marks = Marks(before, tokens.eos, tokens.pad, never)
        self._check()

    @classmethod
    def auden(
        cls,
        tokens: Tokens,
        frames_width: int,
        parallel_prob: float = 0.75,
        label_smoothing: float = 0.1,
        **fields: Any,
    ) -> "Captioning":
        """Auden's captioner: its decoder from scratch, an exact share, the length revealed, no end token at once.

        `fields` of the decoder's `Shape` change it. Auden's public configurations have a share of 0.
        """
        most = {"max_positions": max(256, tokens.max_length)}
        decoder = ScratchDecoder.auden(tokens.size, frames_width, **most | fields)
        return cls(tokens, decoder, Mixture(parallel_prob), label_smoothing)

    @classmethod
    def cappa(
        cls,
        tokens: Tokens,
        frames_width: int,
        parallel_prob: float = 0.75,
        label_smoothing: float = 0.0,
        **fields: Any,
    ) -> "Captioning":
        """CapPa (Tschannen et al. 2023 §3): its decoder, a draw for each caption, the end predicted, no smoothing.

        `fields` of the decoder's `Shape` change it. CapPa's tokens have a `max_length` of 64.
        """
        most = {"max_positions": tokens.max_length}
        decoder = ScratchDecoder.cappa(tokens.size, frames_width, **most | fields)
        mixture = Mixture(parallel_prob, exact_share=False, reveal_length=False, predict_eos=True)
        return cls(tokens, decoder, mixture, label_smoothing)

    @classmethod
    def bart(
        cls,
        tokens: Tokens,
        frames_width: int,
        parallel_prob: float = 0.75,
        label_smoothing: float = 0.1,
        pretrained: str | None = "facebook/bart-base",
        **fields: Any,
    ) -> "Captioning":
        """The paper's captioner (CaptionStew §3.3): BART-base's decoder, modes as Auden's.

        With the weights of `pretrained`, a name on the Hub or a folder; where it is None with fresh ones, in a form
        that `fields` of transformers' `BartConfig` change.
        """
        from captionstew.train.text.bart import BartDecoder  # transformers takes seconds

        if pretrained is None:
            decoder = BartDecoder.fresh(tokens.size, frames_width, **fields)
        else:
            decoder = BartDecoder.pretrained(pretrained, frames_width)
        return cls(tokens, decoder, Mixture(parallel_prob), label_smoothing)

    def tokenize(self, captions: Sequence[str]) -> CountedText:
        """The captions between <s> and </s>."""
        text = self.tokens(captions)
        num_targets = int(text.lengths_B.sum()) - len(captions)
        return CountedText(text.ids_BL, text.lengths_B, text.captions, text.num_truncated, num_targets)

    def forward(self, frames_BTD: Tensor, lengths_B: Tensor, text: Text) -> Loss:
        """The loss of a batch, with the next draw of which captions are predicted in parallel."""
        return self.loss(frames_BTD, lengths_B, text, self.draw(len(frames_BTD)))

    def draw(self, num_rows: int) -> Tensor:
        """True for the rows of the next batch that are predicted in parallel."""
        return self.mixture.draw(num_rows, self.chance.next() if self.training else self.chance.fixed())

    def loss(self, frames_BTD: Tensor, lengths_B: Tensor, text: Text, parallel_B: Tensor) -> Loss:
        """The loss of a batch whose rows `parallel_B` are predicted at once, the others token by token."""
        task = self._task(text, parallel_B)
        place_N = _places(task)
        predicted = self._predict(frames_BTD, lengths_B, task, place_N, self.label_smoothing)
        parallel_N = parallel_B.to(place_N.device, non_blocking=True)[place_N // task.ids_BL.shape[1]]
        counts = (task.num_counted, text.num_truncated, len(parallel_B))
        sums, num_ranks, weight = _sums(predicted, parallel_N, counts), 1, task.num_counted
        if self.training:
            sums, num_ranks = sum_over_ranks(sums), world()
            weight = sum(row_counts(task.num_counted, sums.device))
        return Loss(predicted.total * (num_ranks / max(1, weight)), _parts(sums), weight)

    @torch.no_grad()
    def score(self, frames_BTD: Tensor, lengths_B: Tensor, text: Text) -> Tensor:
        """The log-likelihood (B,) of each caption given its clip, token by token, with the end; in evaluation mode."""
        assert not self.training, "call eval() first: with dropout a score would differ each time"
        task = self._task(text, torch.zeros(len(frames_BTD), dtype=torch.bool))
        place_N = _places(task)
        losses_N = self._predict(frames_BTD, lengths_B, task, place_N, 0.0).losses_N
        row_N = place_N // task.ids_BL.shape[1]
        return torch.zeros(len(frames_BTD), device=losses_N.device).index_add_(0, row_N, -losses_N)

    def caption(self, frames_BTD: Tensor, lengths_B: Tensor, how: Search | None = None) -> list[str]:
        """A caption for each clip, as text; in evaluation mode."""
        found = search(self.decoder, frames_BTD, lengths_B, self.marks, how or Search())
        return [self.tokens.decode(ids) for ids in found.ids_BL.cpu()]

    def settings(self) -> Mapping[str, Any]:
        """Tokenizer, decoder, mixture, smoothing and seed."""
        return {
            "tokens": self.tokens.settings(),
            "decoder": self.decoder.settings(),
            "mixture": asdict(self.mixture),
            "label_smoothing": self.label_smoothing,
            "seed": self.seed,
        }

    def _task(self, text: Text, parallel_B: Tensor) -> Task:
        num_targets = text.num_targets if isinstance(text, CountedText) else int((text.lengths_B - 1).sum())
        return self.mixture.task(text, num_targets, parallel_B, self.tokens, len(self.marks.prompt))

    def _predict(
        self, frames_BTD: Tensor, lengths_B: Tensor, task: Task, place_N: Tensor, smoothing: float
    ) -> Predicted:
        hidden_BLD = self.decoder(task.ids_BL, frames_BTD, lengths_B, task.visible_BLL)
        hidden_ND = hidden_BLD.flatten(0, 1).index_select(0, place_N)
        return cross_entropy(hidden_ND, *self.decoder.output(), task.targets_BL.flatten()[place_N], smoothing)

    def _check(self) -> None:
        """StewError unless tokenizer and decoder fit each other."""
        if self.decoder.size < self.tokens.size:
            raise StewError(
                f"the decoder knows {self.decoder.size} tokens, the tokenizer {self.tokens.size}",
                where=str(self.tokens.name),
                hint="take the tokenizer that belongs to the decoder, or a decoder with fresh weights",
            )
        if (needed := self.tokens.max_length + len(self.marks.prompt) - 2) > self.decoder.max_positions:
            raise StewError(
                f"captions of {needed} tokens do not fit the decoder's {self.decoder.max_positions} positions",
                hint="set a lower max_length of the tokenizer",
            )
        ids = self.tokens(["a"]).ids_BL[0]
        if ids[0] != self.tokens.bos or ids[-1] != self.tokens.eos:
            hint = "take one that does, facebook/bart-base for instance, or train_tokens(..., kind='bpe')"
            raise StewError(
                "the tokenizer does not put <s> and </s> around a text",
                where=str(self.tokens.name),
                hint=hint,
            )


def _made(kind: str, **fields: Any) -> Decoder:
    """The decoder of these settings, with fresh weights."""
    if kind == "scratch":
        return ScratchDecoder(Shape(**fields))
    from captionstew.train.text.bart import BartDecoder  # transformers takes seconds

    return BartDecoder.configured(**fields)


def _places(task: Task) -> Tensor:
    """Where the positions that count lie in the flattened batch; with no wait for the device."""
    return torch.nonzero_static(task.counted_BL.flatten(), size=task.num_counted)[:, 0]


def _sums(predicted: Predicted, parallel_N: Tensor, counts: Sequence[int]) -> Tensor:
    """Of this rank: tokens, those in parallel, losses of both, tokens that are right, captions cut, captions."""
    losses, parallel = predicted.losses_N, parallel_N.float()
    num_tokens, num_truncated, num_rows = (torch.full((), float(n), device=losses.device) for n in counts)
    in_parallel = (losses * parallel).sum()
    right = predicted.right_N.sum(dtype=torch.float32)
    return torch.stack(
        (num_tokens, parallel.sum(), losses.sum(), in_parallel, right, num_truncated, num_rows)
    )


def _parts(sums: Tensor) -> dict[str, Tensor]:
    """The figures to log; the loss of a kind that the batch has none of is 0."""
    num_tokens, num_parallel, loss, in_parallel, right, num_truncated, num_rows = sums.unbind()
    return {
        "loss": loss / num_tokens.clamp_min(1),
        "loss_autoregressive": (loss - in_parallel) / (num_tokens - num_parallel).clamp_min(1),
        "loss_parallel": in_parallel / num_parallel.clamp_min(1),
        "accuracy": right / num_tokens.clamp_min(1),
        "truncated": num_truncated / num_rows.clamp_min(1),
    }
