"""What holds for every decoder: what a position sees, padding, and writing step by step."""

import pytest
import torch
from torch import Tensor

from captionstew.train.text.bart import BartDecoder
from captionstew.train.text.decoder import Decoder
from captionstew.train.text.scratch import ScratchDecoder

SIZE, FRAMES = 37, 10
SMALL_BART = {"d_model": 16, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}


def _made(kind: str) -> Decoder:
    torch.manual_seed(0)
    if kind == "bart":
        decoder: Decoder = BartDecoder.fresh(SIZE, FRAMES, **SMALL_BART)
    else:
        make = ScratchDecoder.auden if kind == "auden" else ScratchDecoder.cappa
        decoder = make(SIZE, FRAMES, width=16, num_layers=2, num_heads=4, feed_forward=32, max_positions=40)
    with torch.no_grad():  # a loud start, so that nothing is equal because it is small
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.4)
    return decoder.eval()


@pytest.fixture(params=["auden", "cappa", "bart"])
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Each kind, small."""
    return _made(request.param)


@pytest.fixture
def frames_BTD() -> Tensor:
    """Frames of three clips."""
    return torch.randn(3, 8, FRAMES, generator=torch.Generator().manual_seed(1))


LENGTHS = torch.tensor([8, 5, 2])
IDS = torch.randint(3, SIZE, (3, 6), generator=torch.Generator().manual_seed(2))


def _changed(before: Tensor, after: Tensor) -> list[int]:
    """At which positions of the first caption the hidden vectors differ."""
    return ((before[0] - after[0]).abs().amax(-1) > 1e-5).nonzero()[:, 0].tolist()


def test_a_position_sees_only_those_before_it(decoder: Decoder, frames_BTD: Tensor) -> None:
    other = IDS.clone()
    other[0, 3] = 3 if IDS[0, 3] != 3 else 4
    before, after = (decoder(ids, frames_BTD, LENGTHS) for ids in (IDS, other))
    assert _changed(before, after) == [3, 4, 5]
    assert torch.equal(before[1:], after[1:])


def test_a_mask_lets_a_position_see_what_follows_in_some_rows_only(
    decoder: Decoder, frames_BTD: Tensor
) -> None:
    visible = torch.ones(6, 6, dtype=torch.bool).tril().repeat(3, 1, 1)
    visible[0] = True
    other = IDS.clone()
    other[:, 3] = torch.where(IDS[:, 3] == 3, 4, 3)
    before, after = (decoder(ids, frames_BTD, LENGTHS, visible) for ids in (IDS, other))
    assert _changed(before, after) == [0, 1, 2, 3, 4, 5]
    assert _changed(before[1:], after[1:]) == [3, 4, 5]
    causal = decoder(IDS, frames_BTD, LENGTHS)
    torch.testing.assert_close(before[1:], causal[1:], atol=1e-5, rtol=1e-5)


def test_frames_beyond_the_length_are_not_heard(decoder: Decoder, frames_BTD: Tensor) -> None:
    noisy = frames_BTD.clone()
    noisy[1, 5:], noisy[2, 2:] = 1e3, -1e3
    torch.testing.assert_close(decoder(IDS, noisy, LENGTHS), decoder(IDS, frames_BTD, LENGTHS))
    alone = decoder(IDS[1:2], frames_BTD[1:2, :5], LENGTHS[1:2])
    torch.testing.assert_close(alone, decoder(IDS, frames_BTD, LENGTHS)[1:2], atol=1e-5, rtol=1e-5)
    noisy[1, 4] += 1
    assert not torch.allclose(decoder(IDS, noisy, LENGTHS)[1], alone[0])


def test_written_step_by_step_is_the_same_as_at_once(decoder: Decoder, frames_BTD: Tensor) -> None:
    at_once = decoder(IDS, frames_BTD, LENGTHS)
    draft = decoder.begin(frames_BTD, LENGTHS)
    steps = torch.stack([draft.extend(IDS[:, place]) for place in range(6)], 1)
    torch.testing.assert_close(steps, at_once, atol=1e-5, rtol=1e-5)


def test_beams_are_written_apart_and_exchanged(decoder: Decoder, frames_BTD: Tensor) -> None:
    draft = decoder.begin(frames_BTD, LENGTHS, num_beams=2)
    first = torch.tensor([3, 4, 5, 6, 7, 8])
    draft.extend(first)
    rows = torch.tensor([1, 0, 3, 3, 4, 5])
    draft.select(rows)
    then = torch.tensor([9, 10, 11, 12, 13, 14])
    hidden = draft.extend(then)
    written = torch.stack((first[rows], then), 1)
    whole = decoder(written, frames_BTD.repeat_interleave(2, 0), LENGTHS.repeat_interleave(2))
    torch.testing.assert_close(hidden, whole[:, -1], atol=1e-5, rtol=1e-5)


def test_logits_are_those_of_the_output_layer(decoder: Decoder, frames_BTD: Tensor) -> None:
    weight, bias = decoder.output()
    assert weight.shape == (SIZE, decoder.width)
    hidden = decoder(IDS, frames_BTD, LENGTHS)[:, -1]
    expected = hidden @ weight.T + (0 if bias is None else bias)
    torch.testing.assert_close(decoder.logits(hidden), expected)


def test_every_parameter_learns(decoder: Decoder, frames_BTD: Tensor) -> None:
    decoder.train()
    decoder.logits(decoder(IDS, frames_BTD, LENGTHS)).square().mean().backward()  # type: ignore[no-untyped-call]
    still = [name for name, p in decoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


def test_frames_of_the_decoders_own_width_need_no_bridge() -> None:
    assert not any(
        "bridge" in name for name, _ in BartDecoder.fresh(SIZE, 16, **SMALL_BART).named_parameters()
    )
    narrow = ScratchDecoder.auden(SIZE, 10, width=16, num_layers=1, num_heads=4)
    assert dict(narrow.named_parameters())["bridge_DD.weight"].shape == (16, 10)
