import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from captionstew.train.objectives.duplicates import Duplicates, Pairs
from captionstew.train.objectives.siglip import SigLIP

KEYS = torch.tensor([[1], [2], [1], [3], [2], [4], [2]])


def vectors(count: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(count)
    draw = (torch.randn(count, 5, generator=random, dtype=torch.float64) for _ in range(2))
    audio, text = (normalize(one, dim=-1).requires_grad_() for one in draw)
    return audio, text


def plain(audio: Tensor, text: Tensor, objective: SigLIP, keys: Tensor, duplicates: Duplicates) -> Tensor:
    """The slow and obvious twin: a sign for every entry of the whole matrix."""
    logits = objective.log_scale.exp() * audio @ text.T + objective.bias
    same = (keys[:, None, :] == keys[None]).any(-1)
    own = torch.eye(len(audio), dtype=torch.bool)
    sign = torch.where(same if duplicates == "positives" else own, 1.0, -1.0)
    terms = softplus(-sign * logits)
    return (terms * ~(same & ~own) if duplicates == "mask" else terms).sum(1).mean()


@pytest.mark.parametrize("duplicates", ["positives", "mask", "ignore"])
@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_loss_and_gradients_equal_the_plain_ones_however_rows_are_chunked(
    duplicates: Duplicates, chunk: int
) -> None:
    objective = SigLIP(bias=-1.5).double()
    audio, text = vectors(len(KEYS))
    inputs = audio, text, objective.log_scale, objective.bias
    got = objective(audio, text, Pairs.of(KEYS, duplicates, chunk))
    expected = plain(audio, text, objective, KEYS, duplicates)
    assert got.item() == pytest.approx(expected.item(), abs=1e-12)
    torch.testing.assert_close(torch.autograd.grad(got, inputs), torch.autograd.grad(expected, inputs))


def test_it_begins_with_the_papers_scale_and_bias() -> None:
    objective = SigLIP()
    assert objective.log_scale.exp().item() == pytest.approx(10)
    assert objective.bias.item() == -10


def test_chance_is_the_least_loss_of_a_model_that_says_the_same_of_everything() -> None:
    same, pairs = torch.ones(9, 1, dtype=torch.float64), Pairs.of(torch.arange(9)[:, None])
    losses = [
        SigLIP(bias=bias - 10).double()(same, same, pairs).item()
        for bias in torch.arange(-6, 4, 0.01).tolist()
    ]
    assert min(losses) == pytest.approx(SigLIP().chance(9), abs=1e-4)
