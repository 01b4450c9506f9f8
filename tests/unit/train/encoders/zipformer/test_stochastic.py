"""What a training pass leaves out: how often, in which shape, and nothing outside training."""

import pytest
import torch

from captionstew.train.encoders.zipformer.schedule import Chance, Schedule
from captionstew.train.encoders.zipformer.stochastic import (
    bypass_scale,
    dropout_shared,
    feature_masks,
    keep_items,
    layer_skip,
    position_dropout,
)


def test_dropout_takes_whole_channels_of_an_item_and_keeps_the_mean() -> None:
    x_NTC = torch.ones(50, 7, 40)
    dropped = dropout_shared(x_NTC, Schedule((0, 0.3)), 1, Chance())
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0.0, 1 / 0.7])
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)


def test_position_dropout_takes_single_entries() -> None:
    dropped = position_dropout(torch.ones(99, 48), Chance())
    assert (dropped == 0).float().mean().item() == pytest.approx(0.15, abs=0.03)
    assert not torch.equal(dropped[0] == 0, dropped[1] == 0)


@pytest.mark.parametrize("shape", [(400, 5, 6), (400, 5), (400, 8, 9, 3)])
def test_items_are_skipped_whole_and_as_often_as_asked(shape: tuple[int, ...]) -> None:
    keep = keep_items(torch.ones(shape, dtype=torch.bfloat16), 0.2, Chance())
    assert keep is not None
    assert (keep.shape, keep.dtype) == ((400,) + (1,) * (len(shape) - 1), torch.bfloat16)
    assert set(keep.flatten().tolist()) == {0.0, 1.0}
    assert keep.float().mean().item() == pytest.approx(0.8, abs=0.06)


def test_feature_masks_make_one_choice_for_all_stacks() -> None:
    widths, unmasked = (192, 256, 512), (192, 192, 256)
    masks = feature_masks(torch.zeros(4000, 3, 192), widths, unmasked, Chance())
    first, second, third = (mask for mask in masks if mask is not None)
    assert [tuple(mask.shape) for mask in (first, second, third)] == [(4000, 1, width) for width in widths]
    assert (first == 1).all()
    assert (second[..., :192] == 1).all()
    inner, outer = third[:, 0, 256], third[:, 0, 511]
    assert inner.mean().item() == pytest.approx(0.875, abs=0.02)
    assert outer.mean().item() == pytest.approx(0.875**2, abs=0.02)
    assert (outer <= inner).all()
    for mask, low, width in ((second, 192, 256), (third, 256, 512)):
        half = (low + width) // 2
        assert torch.equal(mask[:, 0, low:half], inner[:, None].expand(-1, half - low))
        assert torch.equal(mask[:, 0, half:], outer[:, None].expand(-1, width - half))


def test_a_skipping_item_has_a_zero_bypass_scale() -> None:
    scale_C = torch.rand(6) + 0.1
    scales = bypass_scale(scale_C, 1000, 0.5, Chance())
    assert scales.shape == (1000, 1, 6)
    skipped = (scales == 0).all(dim=-1).squeeze()
    assert skipped.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert torch.equal(scales[~skipped], scale_C.expand(1000, 1, 6)[~skipped])


def test_nothing_is_left_out_outside_training_or_at_a_rate_of_zero() -> None:
    x_NTC, off = torch.ones(3, 4, 5), Chance()
    off.active = False
    for chance, rate in ((None, 0.5), (off, 0.5), (Chance(), 0.0)):
        assert dropout_shared(x_NTC, rate, 1, chance) is x_NTC
        assert keep_items(x_NTC, rate, chance) is None
        assert bypass_scale(x_NTC[0, 0], 3, rate, chance) is not None
        assert bypass_scale(x_NTC[0, 0], 3, rate, chance).shape == (5,)
    for chance in (None, off):
        assert feature_masks(x_NTC, (5, 6), (3, 3), chance) == [None, None]
        assert position_dropout(x_NTC, chance) is x_NTC


def test_layers_warm_up_one_after_the_other_within_their_stack_s_window() -> None:
    first, last = (layer_skip(1, 6, layer, 2, 4) for layer in (0, 1))
    begin, middle, end = 4000 * 2 / 7, 4000 * 2.5 / 7, 4000 * 3 / 7
    assert [first.at(count) for count in (0, begin, middle, end)] == pytest.approx([0.5, 0.5, 0.07, 0.07])
    assert [last.at(count) for count in (begin, middle, end)] == pytest.approx([0.5, 0.5, 0.07])
