"""Which captions of a batch are predicted token by token and which all at once, and what the decoder then sees."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from captionstew.train.objectives.objective import Text
from captionstew.train.seeds import seed_of
from captionstew.train.text.tokens import Tokens


class Tosses:
    """A generator for each draw, by seed and number of draws so far: two integers are the whole state."""

    def __init__(self, seed: int) -> None:
        self.seed, self.num_drawn = seed, 0

    def next(self) -> torch.Generator:
        """The generator of the next draw."""
        self.num_drawn += 1
        return torch.Generator().manual_seed(seed_of(self.seed, self.num_drawn))

    def fixed(self) -> torch.Generator:
        """The generator of a draw that is always the same and not counted, for evaluation."""
        return torch.Generator().manual_seed(0)

    def reseed(self, seed: int) -> None:
        """The draws to come follow from this seed."""
        self.seed, self.num_drawn = seed, 0

    def state(self) -> Mapping[str, int]:
        """Where the draws stand; JSON takes it."""
        return {"seed": self.seed, "num_drawn": self.num_drawn}

    def restore(self, state: Mapping[str, int]) -> None:
        """The next draw is the one that followed `state()`."""
        self.seed, self.num_drawn = state["seed"], state["num_drawn"]


@dataclass(frozen=True)
class Task:
    """Decoder input (B, L), what each position sees, what it should predict, and whether that counts.

    `visible_BLL` is None where every caption is predicted token by token. Nobody asks the device for `num_counted`.
    """

    ids_BL: Tensor
    visible_BLL: Tensor | None
    targets_BL: Tensor
    counted_BL: Tensor
    num_counted: int


@dataclass(frozen=True)
class Mixture:
    """Autoregressive captions, and a share `parallel_prob` predicted at once from masks alone (CapPa §3.1).

    `exact_share` takes that share of every batch, rounded (Auden), instead of drawing for each caption. In parallel
    mode `reveal_length` hides what lies beyond the caption, so that its length is known (Auden); without it all
    positions up to the longest possible caption are masks that see each other (CapPa). `predict_eos` asks for the end
    token in parallel mode too.
    """

    parallel_prob: float = 0.75
    exact_share: bool = True
    reveal_length: bool = True
    predict_eos: bool = False

    def draw(self, num_rows: int, generator: torch.Generator) -> Tensor:
        """True for the rows to be predicted in parallel; on the CPU."""
        if self.exact_share:
            order = torch.randperm(num_rows, generator=generator)
            return order < round(num_rows * self.parallel_prob)
        return torch.rand(num_rows, generator=generator) < self.parallel_prob

    def task(self, text: Text, num_targets: int, parallel_B: Tensor, tokens: Tokens, prompt: int) -> Task:
        """What to predict from what: the caption after its first `prompt` positions, which hold </s> <s> or <s>.

        `num_targets` is how many tokens the captions have beyond <s>, in all.
        """
        num_parallel = int(parallel_B.sum())
        num_counted = num_targets - (0 if self.predict_eos else num_parallel)
        ids = functional.pad(text.ids_BL, (prompt - 1, 0), value=tokens.eos)
        most = tokens.max_length + prompt - 1
        if num_parallel and not self.reveal_length:
            ids = functional.pad(ids, (0, most - ids.shape[1]), value=tokens.pad)
        inputs, targets = ids[:, :-1], ids[:, 1:]
        parallel_B = parallel_B.to(ids.device, non_blocking=True)
        place_L = torch.arange(inputs.shape[1], device=ids.device)
        end_B = text.lengths_B + (prompt - 2)
        if not self.predict_eos:
            end_B = end_B - parallel_B.long()
        counted = (place_L >= prompt - 1) & (place_L < end_B[:, None])
        if not num_parallel:
            return Task(inputs, None, targets, counted, num_counted)
        seen = place_L < end_B[:, None] if self.reveal_length else torch.ones_like(counted)
        visible = (place_L <= place_L[:, None]) | (parallel_B[:, None, None] & seen[:, None])
        return Task(
            inputs.masked_fill(parallel_B[:, None], tokens.mask), visible, targets, counted, num_counted
        )
