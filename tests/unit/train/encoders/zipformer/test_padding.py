"""An item's frames whatever else is in its batch."""

import pytest
import torch

from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.model import PaddingMode, Zipformer

CONFIG = ZipformerConfig(
    num_layers=(1,) * 6,
    widths=(16, 20, 24, 32, 24, 20),
    feed_forward=(16, 20, 24, 32, 24, 20),
    num_heads=(2,) * 6,
    kernels=(9, 9, 5, 5, 5, 9),
    unmasked=(16,) * 6,
    embed_channels=(2, 4, 6),
)
LENGTHS = torch.tensor([203, 160, 97, 9])


def lively(padding: PaddingMode) -> Zipformer:
    """Weights large enough for every part to matter."""
    torch.manual_seed(0)
    encoder = Zipformer(CONFIG, padding=padding).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if parameter.ndim > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
            elif name.endswith("downsample.bias"):
                parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return encoder


def worst(encoder: Zipformer, filling: float = -23.025850, dtype: torch.dtype = torch.float32) -> float:
    """The largest difference of any item alone from the item in a padded batch."""
    encoder.to(dtype)
    generator = torch.Generator().manual_seed(1)
    features = 3 * torch.randn(len(LENGTHS), int(LENGTHS.max()), 80, generator=generator).to(dtype) - 6
    padding = torch.arange(features.shape[1]) >= LENGTHS[:, None]
    features[padding] = filling
    with torch.no_grad():
        frames, lengths = encoder(features, LENGTHS)
        alone = [
            encoder(item[None, :length], length[None]) for item, length in zip(features, LENGTHS, strict=True)
        ]
    assert lengths.tolist() == [int(own) for _, own in alone]
    pairs = zip(frames, alone, strict=True)
    return max(float((frames[: own.shape[1]] - own[0]).abs().max()) for frames, (own, _) in pairs)


@pytest.mark.parametrize("filling", [-23.025850, 0.0, 40.0])
def test_exact_padding_never_reaches_an_item(filling: float) -> None:
    assert worst(lively("exact"), filling, torch.float64) < 1e-10


def test_in_single_precision_an_item_is_the_same_to_1e_5_in_any_batch() -> None:
    torch.manual_seed(0)
    assert worst(Zipformer(CONFIG).eval()) < 1e-5


def test_icefalls_padding_reaches_an_item() -> None:
    assert worst(lively("icefall")) > 1e-2


def test_without_padding_both_modes_agree() -> None:
    features, lengths = torch.randn(2, 120, 80), torch.tensor([120, 120])
    frames = [lively(mode)(features, lengths)[0] for mode in ("exact", "icefall")]
    assert torch.equal(*frames)


def test_exact_padding_gets_no_gradient() -> None:
    encoder = lively("exact")
    features = torch.randn(4, 203, 80, requires_grad=True)
    frames, lengths = encoder(features, LENGTHS)
    valid = torch.arange(frames.shape[1]) < lengths[:, None]
    frames[valid].square().sum().backward()
    assert features.grad is not None
    padding = torch.arange(203) >= LENGTHS[:, None]
    assert features.grad[padding].abs().max() == 0
    assert features.grad[~padding].abs().max() > 0


def test_lengths_of_a_whole_batch_are_not_taken_for_padding() -> None:
    encoder = lively("exact")
    features = torch.randn(1, 203, 80)
    frames, lengths = encoder(features, torch.tensor([203]))
    assert int(lengths) == frames.shape[1] == 49
