"""Our own decoder against torch's."""

import math

import pytest
import torch
from torch import nn

from captionstew.errors import StewError
from captionstew.train.text.scratch import ScratchDecoder


@pytest.mark.parametrize("norm_first", [False, True])
def test_it_computes_what_torchs_decoder_does(norm_first: bool) -> None:
    torch.manual_seed(0)
    ours = ScratchDecoder.auden(
        50, 24, width=24, num_heads=3, num_layers=2, feed_forward=48, norm_first=norm_first
    )
    layer = nn.TransformerDecoderLayer(
        24, 3, 48, activation="gelu", batch_first=True, norm_first=norm_first, bias=False
    )
    theirs = nn.TransformerDecoder(layer, 2, nn.LayerNorm(24) if norm_first else None)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours.layers.load_state_dict(theirs.layers.state_dict())
    if theirs.norm is not None:
        ours.norm.load_state_dict(theirs.norm.state_dict())
    ours.eval(), theirs.eval()
    ids, frames = torch.randint(50, (2, 7)), torch.randn(2, 9, 24)
    lengths = torch.tensor([9, 4])
    expected = theirs(
        ours.embed(ids) + ours.positions[:7],
        frames,
        tgt_mask=torch.ones(7, 7, dtype=torch.bool).triu(1),
        memory_key_padding_mask=torch.arange(9) >= lengths[:, None],
    )
    torch.testing.assert_close(ours(ids, frames, lengths), expected, atol=1e-5, rtol=1e-5)


def test_sinusoids_are_vaswanis() -> None:
    positions = ScratchDecoder.auden(5, 8, width=8, num_heads=2, num_layers=1).positions
    assert positions[3, 4].item() == pytest.approx(math.sin(3 / 10_000 ** (4 / 8)), abs=1e-6)
    assert positions[3, 5].item() == pytest.approx(math.cos(3 / 10_000 ** (4 / 8)), abs=1e-6)


def test_the_presets_have_the_sizes_of_their_papers() -> None:
    with torch.device("meta"):
        auden, cappa = ScratchDecoder.auden(50_265, 512), ScratchDecoder.cappa(32_000, 768, max_positions=64)
    layer = 8 * 768 * 768 + 2 * 768 * 3072 + 3 * 768
    assert sum(p.numel() for p in auden.parameters()) == 6 * layer + 2 * 50_265 * 768 + 512 * 768
    outside = 2 * 32_000 * 768 + 32_000 + 64 * 768 + 2 * 768
    assert sum(p.numel() for p in cappa.parameters()) == 6 * layer + outside


def test_cappas_decoder_begins_with_every_token_equally_likely() -> None:
    decoder = ScratchDecoder.cappa(20, 16, width=16, num_heads=4, num_layers=1).eval()
    hidden = decoder(torch.tensor([[1, 2]]), torch.randn(1, 3, 16), torch.tensor([3]))
    assert hidden.abs().sum() > 0
    assert not decoder.logits(hidden).any()


def test_dropout_acts_in_training_only() -> None:
    torch.manual_seed(0)
    decoder = ScratchDecoder.auden(20, 16, width=16, num_heads=4, num_layers=1)
    batch = torch.tensor([[1, 2]]), torch.randn(1, 3, 16), torch.tensor([3])
    assert not torch.equal(decoder(*batch), decoder(*batch))
    decoder.eval()
    assert torch.equal(decoder(*batch), decoder(*batch))


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(StewError, match="10 wide with 4 heads"):
        ScratchDecoder.auden(20, 16, width=10, num_heads=4)
