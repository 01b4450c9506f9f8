"""The sizes of a Zipformer, stack by stack, and the published ones by name."""

from dataclasses import dataclass, fields
from typing import Self

from captionstew.errors import StewError


@dataclass(frozen=True)
class ZipformerConfig:
    """One entry per stack in every tuple; the defaults are icefall's M for AudioSet tagging (63,994,103 parameters).

    `feed_forward` is the base: the three modules of a layer take 3/4, 1 and 5/4 of it. `downsampling` is over the
    50 Hz frames that the embedding makes. `unmasked` channels are never dropped by the feature masks of training.
    """

    downsampling: tuple[int, ...] = (1, 2, 4, 8, 4, 2)
    num_layers: tuple[int, ...] = (2, 2, 3, 4, 3, 2)
    widths: tuple[int, ...] = (192, 256, 384, 512, 384, 256)
    feed_forward: tuple[int, ...] = (512, 768, 1024, 1536, 1024, 768)
    num_heads: tuple[int, ...] = (4, 4, 4, 8, 4, 4)
    kernels: tuple[int, ...] = (31, 31, 15, 15, 15, 31)
    unmasked: tuple[int, ...] = (192, 192, 256, 256, 256, 192)
    query_width: int = 32  # per head, as are the next two
    value_width: int = 12
    position_query_width: int = 4
    position_width: int = 48
    output_downsampling: int = 2
    embed_channels: tuple[int, int, int] = (8, 32, 128)
    num_mels: int = 80

    def __post_init__(self) -> None:
        for field in fields(self):  # lists come from JSON
            value = getattr(self, field.name)
            object.__setattr__(self, field.name, tuple(value) if isinstance(value, list) else value)
        per_stack = "num_layers", "widths", "feed_forward", "num_heads", "kernels", "unmasked"
        uneven = [name for name in per_stack if len(getattr(self, name)) != len(self.downsampling)]
        if uneven:
            cause = (
                f"{', '.join(uneven)}: not {len(self.downsampling)} entries, one per stack as in downsampling"
            )
            raise StewError("the Zipformer's sizes do not fit together", cause=cause)
        if even := [kernel for kernel in self.kernels if kernel % 2 == 0]:
            raise StewError(
                "a convolution keeps the length only with an odd kernel", cause=f"kernels: {even}"
            )

    @property
    def width(self) -> int:
        """D of the encoder's frames: that of the widest stack."""
        return max(self.widths)

    @property
    def frequencies(self) -> int:
        """How many of the mel channels' groups reach the embedding's linear layer: 19 of 80."""
        return ((self.num_mels - 1) // 2 - 1) // 2

    @classmethod
    def tiny(cls) -> Self:
        """A million parameters, for recipes that learn in minutes on one core."""
        return cls(
            num_layers=(1,) * 6,
            widths=(64, 80, 96, 128, 96, 80),
            feed_forward=(128, 160, 192, 256, 192, 160),
            num_heads=(2, 2, 2, 4, 2, 2),
            unmasked=(64, 64, 80, 80, 80, 64),
            embed_channels=(8, 16, 32),
        )

    @classmethod
    def small(cls) -> Self:
        """icefall's small model for AudioSet tagging: 21,989,779 parameters."""
        return cls(
            num_layers=(2,) * 6,
            widths=(192, 256, 256, 256, 256, 256),
            feed_forward=(512, 768, 768, 768, 768, 768),
            unmasked=(192,) * 6,
        )

    @classmethod
    def medium(cls) -> Self:
        """icefall's M for AudioSet tagging: 63,994,103 parameters."""
        return cls()

    @classmethod
    def large(cls) -> Self:
        """icefall's large: 146,625,594 parameters."""
        return cls(
            num_layers=(2, 2, 4, 5, 4, 2),
            widths=(192, 256, 512, 768, 512, 256),
            feed_forward=(512, 768, 1536, 2048, 1536, 768),
            unmasked=(192, 192, 256, 320, 256, 192),
        )

    @classmethod
    def auden_medium(cls) -> Self:
        """The CaptionStew authors' base (Auden): feed-forward of three widths, 65,913,719 parameters."""
        return cls(feed_forward=(576, 768, 1152, 1536, 1152, 768))

    @classmethod
    def auden_large(cls) -> Self:
        """The CaptionStew authors' large (Auden): 152,675,514 parameters."""
        return cls(
            num_layers=(2, 2, 4, 5, 4, 2),
            widths=(192, 256, 512, 768, 512, 256),
            feed_forward=(576, 768, 1536, 2304, 1536, 768),
        )
