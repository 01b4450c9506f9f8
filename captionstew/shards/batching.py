"""The settings of batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from captionstew.errors import StewError
from captionstew.shards.mixture import Mixture


@dataclass(frozen=True)
class Batching:
    """What becomes a batch, and in what order.

    A batch of n clips, the longest of s seconds, has n * s <= `seconds` and n * s^2 <= `squares`, which bounds the
    memory of attention. Clips beyond `longest` seconds are cropped, those below `shortest` left out. `window` clips
    at a time are sorted by length and cut into batches, whose order is then shuffled; lengths within the share
    `spread` of each other count as equal, for more variety between the epochs of a small set at the price of
    padding. A clip comes with `one` of its captions, another each epoch, with `all`, each of them an item of its
    own, or with `none`. Without `shuffle` it is one pass in the order of the clips, sorted within windows, crops
    from the middle.

    `styles` are the odds of `one`: a style by weight among those that the clip's captions have (1 if not named; see
    `shards.styles`), and of that style another caption each epoch.

    `hold_out` is the share of recordings that is kept apart; `held_out` chooses those instead of the others. Of more
    than `limit` items, so many are chosen once and for all.
    """

    seconds: float = 640.0  # per rank, as CaptionStew trained
    squares: float = 19_200.0  # s^2: 640 s in clips of 30 s
    longest: float = 30.0
    shortest: float = 1.0
    window: int = 8192  # padding at a million clips: 5.9 % with 1,024, 0.7 % with this, 0.1 % with 65,536
    spread: float = 0.0
    captions: Literal["one", "all", "none"] = "one"
    split: str = "train"
    corpora: tuple[str, ...] = ()  # all
    hold_out: float = 0.0
    held_out: bool = False
    limit: int = 0  # none
    mixture: Mixture = field(default_factory=Mixture)
    styles: Mapping[str, float] = field(default_factory=dict)
    shuffle: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.longest <= self.seconds or self.longest**2 > self.squares * (1 + 1e-9):
            room = f"a batch of {self.seconds:g} s and {self.squares:g} s^2"
            hint = "lower `longest`, or raise `seconds` and `squares`"
            raise StewError(f"{room} has no room for a clip of {self.longest:g} s", hint=hint)
        if self.spread < 0 or not 0 <= self.hold_out < 1:
            hint = "choose 0 or more, and a share from 0 to less than 1"
            raise StewError(f"a spread of {self.spread}, a hold-out of {self.hold_out}", hint=hint)
        weights = self.styles.values()
        if weights and not (all(0 <= weight < inf for weight in weights) and self.captions == "one"):
            cause = f"weights {dict(self.styles)}, captions {self.captions!r}"
            hint = "give numbers of 0 or more, and take `one` caption of each clip"
            raise StewError("styles of captions cannot be drawn so", cause=cause, hint=hint)
