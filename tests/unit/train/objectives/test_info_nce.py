import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from captionstew.train.objectives.duplicates import Duplicates, Pairs
from captionstew.train.objectives.info_nce import InfoNCE

KEYS = torch.tensor([[1], [2], [1], [3], [2], [4], [2]])


def vectors(count: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(count)
    audio, text = (normalize(torch.randn(count, 5, generator=random, dtype=dtype), dim=-1) for _ in range(2))
    return audio.requires_grad_(), text.requires_grad_()


def plain(audio: Tensor, text: Tensor, scale: Tensor, keys: Tensor, duplicates: Duplicates) -> Tensor:
    """The slow and obvious twin: the whole matrix and cross-entropies."""
    logits = scale * audio @ text.T
    same = (keys[:, None, :] == keys[None]).any(-1)
    own = torch.eye(len(audio), dtype=torch.bool)
    if duplicates == "mask":
        logits = logits.masked_fill(same & ~own, -1e30)
    target = (same if duplicates == "positives" else own).to(logits.dtype)
    target = target / target.sum(1, keepdim=True)
    return (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2


def gradients(loss: Tensor, *inputs: Any) -> list[Tensor]:
    return [loss.detach(), *torch.autograd.grad(loss, inputs)]


@pytest.mark.parametrize("duplicates", ["positives", "mask", "ignore"])
@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_loss_and_gradients_equal_the_plain_ones_however_rows_are_chunked(
    duplicates: Duplicates, chunk: int
) -> None:
    objective = InfoNCE(0.07).double()
    audio, text = vectors(len(KEYS))
    inputs = audio, text, objective.log_scale
    got = gradients(objective(audio, text, Pairs.of(KEYS, duplicates, chunk)), *inputs)
    expected = gradients(plain(audio, text, objective.log_scale.exp(), KEYS, duplicates), *inputs)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)


def test_single_precision_agrees_with_double_to_a_millionth() -> None:
    objective, keys = InfoNCE(0.07), torch.arange(300)[:, None] // 2
    audio, text = vectors(300, torch.float32)
    got = gradients(8 * objective(audio, text, Pairs.of(keys, chunk=64)), audio, text, objective.log_scale)
    inputs = audio.detach().double().requires_grad_(), text.detach().double().requires_grad_()
    scale = objective.log_scale.detach().double().requires_grad_()
    expected = gradients(8 * plain(*inputs, scale.exp(), keys, "positives"), *inputs, scale)
    for one, other in zip(got, expected, strict=True):
        assert (one - other).norm() < 1e-6 * other.norm()


def test_clips_and_captions_are_both_reasons_to_be_a_pair() -> None:
    keys = torch.tensor([[1, 10], [2, 10], [2, 11], [3, 12]])  # not transitive: rows 0 and 2 are no pair
    objective = InfoNCE().double()
    audio, text = vectors(4)
    got = objective(audio, text, Pairs.of(keys, "positives", 2))
    assert got.item() == pytest.approx(
        plain(audio, text, objective.log_scale.exp(), keys, "positives").item()
    )


def test_a_model_that_says_the_same_of_everything_loses_the_logarithm_of_the_batch() -> None:
    same = torch.ones(9, 1, dtype=torch.float64)
    pairs = Pairs.of(torch.arange(9)[:, None])
    assert InfoNCE().double()(same, same, pairs).item() == pytest.approx(math.log(9))
    assert InfoNCE().chance(9) == pytest.approx(math.log(9))


def test_the_scale_begins_at_the_inverse_temperature_and_is_kept_within_bounds() -> None:
    objective = InfoNCE(0.07)
    assert objective.log_scale.exp().item() == pytest.approx(1 / 0.07)
    for value, bounded in ((9.0, math.log(100)), (-1.0, 0.0), (2.0, 2.0)):
        objective.log_scale.data.fill_(value)
        objective.after_step()
        assert objective.log_scale.item() == pytest.approx(bounded)


def test_a_fixed_temperature_takes_no_gradient() -> None:
    objective = InfoNCE(learnable=False).double()
    audio, text = vectors(len(KEYS))
    objective(audio, text, Pairs.of(KEYS)).backward()
    assert objective.log_scale.grad is None
    assert audio.grad is not None


def test_autocast_does_not_reach_the_similarities() -> None:
    objective, pairs = InfoNCE(0.01), Pairs.of(torch.arange(300)[:, None])
    audio, text = vectors(300, torch.float32)
    alone = gradients(objective(audio, text, pairs), audio, text)
    with torch.autocast("cpu", torch.bfloat16):
        cast = gradients(objective(audio, text, pairs), audio, text)
    torch.testing.assert_close(cast, alone, rtol=0, atol=0)


def test_memory_grows_with_the_chunk_and_not_with_the_batch_squared() -> None:
    class Widest(torch.utils._python_dispatch.TorchDispatchMode):  # type: ignore[no-untyped-call]
        most = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = function(*args, **(kwargs or {}))
            if isinstance(out, Tensor):
                Widest.most = max(Widest.most, out.numel())
            return out

    audio, text = vectors(512, torch.float32)
    pairs = Pairs.of(torch.arange(512)[:, None], chunk=16)
    with Widest():  # type: ignore[no-untyped-call]
        InfoNCE()(audio, text, pairs).backward()
    assert Widest.most == 16 * 512
