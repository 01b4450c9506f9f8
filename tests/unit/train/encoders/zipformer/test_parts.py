"""The parts against icefall's, and the fast ones against their plain twins."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from captionstew.train.encoders.zipformer.attention import AttentionWeights
from captionstew.train.encoders.zipformer.convolution import depthwise
from captionstew.train.encoders.zipformer.linear import Linear
from captionstew.train.encoders.zipformer.mlp import swoosh_linear, swoosh_mlp
from captionstew.train.encoders.zipformer.norm import BiasNorm
from captionstew.train.encoders.zipformer.padding import find_padding
from captionstew.train.encoders.zipformer.positions import PositionTable, position_encodings
from captionstew.train.encoders.zipformer.resample import Downsample, upsample
from captionstew.train.encoders.zipformer.scores import attention_weights
from captionstew.train.encoders.zipformer.swoosh import Side, swoosh


@pytest.fixture(scope="module")
def parts(golden: Path) -> dict[str, Tensor]:
    """Inputs and outputs of icefall's parts by name."""
    held: np.lib.npyio.NpzFile = np.load(golden / "zipformer_parts_a.npz")
    return {name: torch.tensor(held[name]) for name in held.files}


@pytest.mark.parametrize(("number", "axis"), [(0, -1), (1, 1)])
def test_bias_norm_is_icefalls_both_ways(parts: dict[str, Tensor], number: int, axis: int) -> None:
    def part(name: str) -> Tensor:
        return parts[f"bias_norm{number}.{name}"]

    norm = BiasNorm(len(part("bias")))
    with torch.no_grad():
        norm.bias.copy_(part("bias"))
        norm.log_scale.copy_(part("log_scale"))
    x = part("x").requires_grad_()
    result = norm(x.movedim(axis, -1)).movedim(-1, axis)
    result.backward(part("grad_out"))
    assert x.grad is not None
    assert norm.bias.grad is not None
    assert norm.log_scale.grad is not None
    torch.testing.assert_close(result.detach(), part("out"), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(x.grad, part("grad_in"), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(norm.bias.grad, part("grad_bias"), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(norm.log_scale.grad, part("grad_log_scale"), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("side", "name"), [(Side.LEFT, "swoosh_l"), (Side.RIGHT, "swoosh_r")])
def test_swoosh_is_icefalls_both_ways(parts: dict[str, Tensor], side: Side, name: str) -> None:
    x = parts[f"{name}.x"].requires_grad_()
    result = swoosh(x, side)
    (slope,) = torch.autograd.grad(result.sum(), x)
    torch.testing.assert_close(result.detach(), parts[f"{name}.out"].float(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(slope, parts[f"{name}.deriv"].float(), atol=1e-5, rtol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(swoosh(x, side), result.detach())


def test_swoosh_takes_any_size_of_input() -> None:
    x = torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4], requires_grad=True)
    result = swoosh(x, Side.RIGHT)
    result.sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert x.grad.isfinite().all()
    torch.testing.assert_close(result[-1].item(), 1e4 - 1 - 800 - 0.313261687)
    half = swoosh(x.detach().half(), Side.RIGHT)
    assert half.dtype == torch.float16
    assert half.isfinite().all()


@pytest.mark.parametrize(("num_frames", "width"), [(9, 16), (5, 48), (300, 48)])
def test_position_tables_are_icefalls(parts: dict[str, Tensor], num_frames: int, width: int) -> None:
    wanted = parts[f"pos_T{num_frames}_D{width}.out"]
    torch.testing.assert_close(position_encodings(num_frames, width), wanted, atol=1e-5, rtol=0)


def test_a_kept_position_table_serves_shorter_and_longer_sequences() -> None:
    table = PositionTable(16)
    for num_frames in (7, 3, 40, 11, 1):
        wanted = position_encodings(num_frames, 16)
        assert torch.equal(table(num_frames, torch.device("cpu")), wanted)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_frames_are_joined_and_repeated_as_in_icefall(parts: dict[str, Tensor], number: int) -> None:
    part = {k.removeprefix(f"down{number}."): v for k, v in parts.items() if k.startswith(f"down{number}.")}
    downsample = Downsample(len(part["bias"]))
    with torch.no_grad():
        downsample.bias.copy_(part["bias"])
    down = downsample(part["x"].transpose(0, 1))
    torch.testing.assert_close(down.transpose(0, 1).detach(), part["out"], atol=1e-5, rtol=1e-5)
    up = upsample(down, len(part["bias"]), part["up"].shape[0])
    torch.testing.assert_close(up.transpose(0, 1).detach(), part["up"], atol=1e-5, rtol=1e-5)


def test_attention_weights_are_icefalls(parts: dict[str, Tensor], golden: Path) -> None:
    facts = json.loads((golden / "zipformer_parts_a.json").read_text())["cases"]["attn"]
    heads, query, position_query = (facts[k] for k in ("num_heads", "query_head_dim", "pos_head_dim"))
    weights = AttentionWeights(20, heads, query, position_query, facts["pos_dim"])
    with torch.no_grad():
        weights.in_proj.weight.copy_(parts["attn.in_proj_weight"])
        weights.in_proj.bias.copy_(parts["attn.in_proj_bias"])
        weights.linear_pos.weight.copy_(parts["attn.linear_pos_weight"])
    padding = find_padding(parts["attn.lens"], 13, exact=True)
    result, first = weights(parts["attn.x"].transpose(0, 1), position_encodings(13, 16), padding, None)
    valid = parts["attn.lens"].tolist()
    for item, length in enumerate(valid):
        wanted = parts["attn.weights"][:, item, :length]
        torch.testing.assert_close(result[item, :, :length].detach(), wanted, atol=1e-5, rtol=1e-4)
    assert torch.equal(first, result[:, 0])
    assert result[1, :, :, valid[1] :].abs().max() == 0


def plain_weights(q: Tensor, k: Tensor, p: Tensor, r: Tensor, masked: Tensor | None) -> tuple[Tensor, Tensor]:
    """Score by score, as written in the paper; and the first head's."""
    num_frames = q.shape[2]
    scores = torch.einsum("nhtd,nhsd->nhts", q, k)
    offsets = torch.arange(num_frames)[None, :] - torch.arange(num_frames)[:, None] + num_frames - 1
    scores = scores + torch.einsum("nhte,hets->nhts", p, r[:, :, offsets])
    if masked is not None:
        scores = scores.masked_fill(masked[:, None, None], -1000)
    weights = scores.softmax(-1)
    return weights, weights[:, 0]


@pytest.mark.parametrize("padded", [False, True])
def test_fused_attention_weights_equal_their_twin_both_ways(padded: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = (3, 2, 11, 8), (3, 2, 11, 8), (3, 2, 11, 4), (2, 4, 21)
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    masked = torch.arange(11) >= torch.tensor([11, 7, 4])[:, None] if padded else None
    onto_all, onto_first = (
        torch.randn(s, generator=generator).double() for s in ((3, 2, 11, 11), (3, 11, 11))
    )
    results = []
    for weigh in (attention_weights, plain_weights):
        q, k, p, r = own = [x.clone().requires_grad_() for x in inputs]
        weights, first = weigh(q, k, p, r, masked)
        grads = torch.autograd.grad([weights, first], own, [onto_all, onto_first])
        results.append([weights, first, *grads])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("dropped", [False, True])
def test_swoosh_with_its_linear_layer_equals_its_twin_both_ways(dropped: bool) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(12, 5)
    x = torch.randn(3, 7, 12, requires_grad=True)
    keep = (torch.rand(3, 1, 12) > 0.3).float() / 0.7 if dropped else None
    active = swoosh(x, Side.LEFT)
    results = [swoosh_linear(x, Side.LEFT, keep, layer), layer(active if keep is None else active * keep)]
    onto = torch.randn(3, 7, 5)
    wanted = [x, *layer.parameters()]
    for one, other in zip(*(torch.autograd.grad(result, wanted, onto) for result in results), strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(*results)


def test_linear_layers_equal_pytorchs_both_ways_whatever_the_memory_layout() -> None:
    torch.manual_seed(0)
    layer = Linear(12, 5)
    x = torch.randn(7, 3, 12).transpose(0, 1).requires_grad_()
    results = [layer(x), F.linear(x, layer.weight, layer.bias)]
    for onto in (torch.randn(3, 7, 5), torch.ones(()).expand(3, 7, 5), torch.randn(7, 3, 5).transpose(0, 1)):
        grads = [
            torch.autograd.grad(result, [x, *layer.parameters()], onto, retain_graph=True)
            for result in results
        ]
        for one, other in zip(*grads, strict=True):
            torch.testing.assert_close(one, other)
    torch.testing.assert_close(*results)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), results[0])


def test_blocked_convnext_equals_its_twin_both_ways() -> None:
    torch.manual_seed(0)
    first, second = nn.Conv2d(4, 12, 1), nn.Conv2d(12, 4, 1)
    x = torch.randn(2, 23, 19, 4, requires_grad=True)  # 874 rows: two blocks, the second a part
    plain = second(swoosh(first(x.permute(0, 3, 1, 2)), Side.LEFT)).permute(0, 2, 3, 1)
    results = [swoosh_mlp(x, first, second), plain]
    onto = torch.randn(x.shape)
    wanted = [x, *first.parameters(), *second.parameters()]
    for one, other in zip(*(torch.autograd.grad(result, wanted, onto) for result in results), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("trained", [False, True])
def test_depthwise_convolution_in_the_channels_last_layout_equals_conv1d(trained: bool) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(6, 6, 5, padding=2, groups=6)
    x = torch.randn(2, 11, 6, requires_grad=trained)
    with torch.set_grad_enabled(trained):
        result = depthwise(x, convolution)
        wanted = convolution(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(result, wanted)
    if trained:
        inputs = [x, *convolution.parameters()]
        grads, others = (torch.autograd.grad(y.square().sum(), inputs) for y in (result, wanted))
        for one, other in zip(grads, others, strict=True):
            torch.testing.assert_close(one, other)


def test_gated_linear_unit_of_torch_is_the_papers() -> None:
    both = torch.randn(3, 8)
    torch.testing.assert_close(F.glu(both), both[:, :4] * both[:, 4:].sigmoid())
