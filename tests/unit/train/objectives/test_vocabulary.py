"""The chunked loss against torch's own."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from captionstew.train.objectives.vocabulary import cross_entropy

NUM, WIDTH, SIZE = 13, 6, 31


def _batch(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    hidden, weight = torch.randn(NUM, WIDTH, generator=draw), torch.randn(SIZE, WIDTH, generator=draw)
    bias, targets = torch.randn(SIZE, generator=draw), torch.randint(SIZE, (NUM,), generator=draw)
    return hidden.to(dtype).requires_grad_(), weight.requires_grad_(), bias.requires_grad_(), targets


@pytest.mark.parametrize("chunk", [1, 4, 13, 50, None])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_torchs(chunk: int | None, smoothing: float) -> None:
    hidden, weight, bias, targets = _batch()
    logits = hidden @ weight.T + bias
    each = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
    expected = torch.autograd.grad(each.sum() * 0.3, (hidden, weight, bias))
    found = cross_entropy(hidden, weight, bias, targets, smoothing, chunk)
    torch.testing.assert_close(found.total, each.sum(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found.losses_N, each.detach(), atol=1e-6, rtol=1e-6)
    assert torch.equal(found.right_N, logits.argmax(-1) == targets)
    gradients = torch.autograd.grad(found.total * 0.3, (hidden, weight, bias))
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-6)


def test_a_weight_tied_to_the_embedding_gets_both_gradients() -> None:
    _, weight, _, targets = _batch()
    embedding = nn.Embedding(SIZE, WIDTH, _weight=weight.detach().clone())
    ids = targets.flip(0)
    plain = functional.cross_entropy(embedding(ids).tanh() @ embedding.weight.T, targets, reduction="sum")
    (expected,) = torch.autograd.grad(plain, (embedding.weight,))
    total = cross_entropy(embedding(ids).tanh(), embedding.weight, None, targets, chunk=5).total
    (found,) = torch.autograd.grad(total, (embedding.weight,))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_what_is_frozen_gets_no_gradient_and_nothing_is_kept_without_one() -> None:
    hidden, weight, bias, targets = _batch()
    total = cross_entropy(hidden, weight.detach(), bias.detach(), targets).total
    total.backward()  # type: ignore[no-untyped-call]
    assert hidden.grad is not None
    with torch.inference_mode():
        assert cross_entropy(hidden, weight, bias, targets).total == total
    with torch.no_grad():
        assert not cross_entropy(hidden, weight, bias, targets).total.requires_grad


def test_gradients_are_used_once() -> None:
    hidden, weight, bias, targets = _batch()
    total = cross_entropy(hidden, weight, bias, targets).total
    total.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    with pytest.raises(AssertionError, match="run forward again"):
        total.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
def test_autocast_narrows_products_and_nothing_else(narrow: torch.dtype) -> None:
    hidden, weight, bias, targets = _batch(narrow)
    with torch.autocast("cpu", narrow):
        found = cross_entropy(hidden, weight, bias, targets, 0.1, 4)
    found.total.backward()  # type: ignore[no-untyped-call]
    assert found.total.dtype == found.losses_N.dtype == torch.float32
    assert hidden.grad is not None
    assert hidden.grad.dtype == narrow
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    wide = [x.detach().to(narrow).float().requires_grad_() for x in (hidden, weight)]
    logits = wide[0] @ wide[1].T + bias
    functional.cross_entropy(logits, targets, label_smoothing=0.1, reduction="sum").backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(
        found.total, cross_entropy(wide[0], wide[1], bias, targets, 0.1).total, atol=1e-4, rtol=1e-4
    )
    for ours, theirs in zip((hidden.grad, weight.grad), (x.grad for x in wide), strict=True):
        torch.testing.assert_close(ours.float(), theirs, atol=2e-2, rtol=2e-2)


def test_float16_keeps_probabilities_below_its_smallest_number() -> None:
    draw, size = torch.Generator().manual_seed(0), 20_000
    hidden = torch.randn(4, 8, generator=draw).half().requires_grad_()
    weight = torch.randn(size, 8, generator=draw).half().float().requires_grad_()
    with torch.autocast("cpu", torch.float16):
        cross_entropy(hidden, weight, None, torch.zeros(4, dtype=torch.int64)).total.backward()  # type: ignore[no-untyped-call]
    shares = (hidden.detach().float() @ weight.detach().T).softmax(-1)
    assert shares.median() < 2e-5  # float16 is exact to a thousandth above 6e-5 only
    assert weight.grad is not None
    expected = shares[:, 1:].T @ hidden.detach().float()
    off = (weight.grad[1:] - expected).norm(dim=1) / expected.norm(dim=1)
    assert off.quantile(0.9) < 1e-3


def test_a_scaled_loss_scales_float16_gradients_as_grad_scaler_expects() -> None:
    hidden, weight, bias, targets = _batch(torch.float16)
    with torch.autocast("cpu", torch.float16):
        (one,) = torch.autograd.grad(cross_entropy(hidden, weight, bias, targets).total, (weight,))
        (many,) = torch.autograd.grad(cross_entropy(hidden, weight, bias, targets).total * 65536.0, (weight,))
    torch.testing.assert_close(many, one * 65536.0)


def test_no_tokens_give_no_loss() -> None:
    _, weight, bias, _ = _batch()
    hidden = torch.zeros(0, WIDTH, requires_grad=True)
    found = cross_entropy(hidden, weight, bias, torch.zeros(0, dtype=torch.int64))
    found.total.backward()  # type: ignore[no-untyped-call]
    assert float(found.total.detach()) == 0
    assert weight.grad is not None
    assert not weight.grad.any()
