from typing import get_args

import pytest
import torch
from torch import Tensor

from captionstew.train.objectives.pooling import How, Pooling, Projection, unit

HOWS: tuple[How, ...] = get_args(How)


def frames() -> tuple[Tensor, Tensor]:
    frames_BTD = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(3))
    return frames_BTD, torch.tensor([6, 2, 4])


@pytest.mark.parametrize("how", HOWS)
def test_an_item_is_pooled_in_a_batch_as_alone(how: How) -> None:
    frames_BTD, lengths_B = frames()
    pooling = Pooling(how, 8, heads=2)
    together = pooling(frames_BTD, lengths_B)
    for item, length in enumerate(lengths_B.tolist()):
        alone = pooling(frames_BTD[item : item + 1, :length], lengths_B[item : item + 1])
        torch.testing.assert_close(together[item], alone[0])


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("padding", [1e9, float("nan")])
def test_padding_reaches_neither_the_vector_nor_the_gradient(how: How, padding: float) -> None:
    frames_BTD, lengths_B = frames()
    outside = torch.arange(6) >= lengths_B[:, None]
    clean = frames_BTD.clone().requires_grad_()
    dirty = torch.where(outside[:, :, None], padding, frames_BTD).requires_grad_()
    pooling = Pooling(how, 8, heads=2)
    gradients = []
    for x in (clean, dirty):
        pooling(x, lengths_B).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(pooling(clean, lengths_B), pooling(dirty, lengths_B))
    torch.testing.assert_close(gradients[0], gradients[1])
    assert gradients[1] is not None
    assert gradients[1][outside].eq(0).all()


def test_each_pooling_is_what_its_name_says() -> None:
    frames_BTD, lengths_B = frames()
    valid = frames_BTD[1, :2]
    pooled = {how: Pooling(how, 8)(frames_BTD, lengths_B)[1] for how in HOWS if how != "attention"}
    torch.testing.assert_close(pooled["mean"], valid.mean(0))
    torch.testing.assert_close(pooled["max"], valid.amax(0))
    torch.testing.assert_close(pooled["mean+max"], valid.mean(0) + valid.amax(0))
    assert torch.equal(pooled["first"], valid[0])
    assert torch.equal(pooled["last"], valid[1])


def test_attention_weighs_frames_per_head() -> None:
    frames_BTD, lengths_B = frames()
    pooling = Pooling("attention", 8, heads=2)
    assert pooling.scores is not None
    weights = pooling.scores(frames_BTD[1, :2]).softmax(0)
    expected = torch.cat(
        [(weights[:, :1] * frames_BTD[1, :2, :4]).sum(0), (weights[:, 1:] * frames_BTD[1, :2, 4:]).sum(0)]
    )
    torch.testing.assert_close(pooling(frames_BTD, lengths_B)[1], expected)


@pytest.mark.parametrize("how", HOWS)
def test_an_item_without_frames_gives_numbers(how: How) -> None:
    assert Pooling(how, 8)(frames()[0], torch.tensor([0, 1, 6])).isfinite().all()


def test_an_mlp_has_a_layer_more_than_a_linear_projection() -> None:
    linear, mlp = Projection("linear", 8, 5), Projection("mlp", 8, 5)
    assert [tuple(p.shape) for p in linear.parameters()] == [(5, 8), (5,)]
    assert [tuple(p.shape) for p in mlp.parameters()] == [(5, 8), (5,), (5, 5), (5,)]
    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(linear(2 * x) - linear(x), linear(x) - linear(0 * x))
    assert not torch.allclose(mlp(2 * x) - mlp(x), mlp(x) - mlp(0 * x))


def test_unit_vectors_have_length_one_in_single_precision() -> None:
    vectors = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16))
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))
    assert unit(vectors.double()).dtype == torch.float64
