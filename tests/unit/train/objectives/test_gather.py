"""Gathered rows and the losses over them, by real gloo processes on loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import Tensor, nn

from captionstew.train.objectives.duplicates import Duplicates, Pairs, hits
from captionstew.train.objectives.gather import gather_rows, max_over_ranks, row_counts, sum_over_ranks
from captionstew.train.objectives.info_nce import InfoNCE
from captionstew.train.objectives.pooling import unit
from captionstew.train.objectives.siglip import SigLIP

ROWS = {1: (7,), 2: (5, 2), 3: (1, 4, 2)}
KEYS = torch.tensor([[1], [2], [1], [3], [2], [4], [2]])


@contextmanager
def group(number: int, count: int, out: Path) -> Iterator[None]:
    dist.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=number, world_size=count)
    try:
        yield
    finally:
        dist.destroy_process_group()


def mine(number: int, count: int) -> slice:
    first = sum(ROWS[count][:number])
    return slice(first, first + ROWS[count][number])


def losses(rows: slice) -> dict[str, Any]:
    """Values, gradients and hit rates of all losses, for two linear towers and the rows of one process."""
    random = torch.Generator().manual_seed(1)
    sounds, texts = (torch.randn(7, 4, generator=random, dtype=torch.float64)[rows] for _ in range(2))
    weights = [torch.randn(4, 3, generator=random, dtype=torch.float64) for _ in range(2)]
    kinds: tuple[Duplicates, ...] = ("positives", "mask", "ignore")
    found: dict[str, Any] = {}
    for loss in (InfoNCE(0.2), SigLIP(0.2, bias=-2.0)):
        for kind in kinds:
            towers, loss = [nn.Parameter(weight.clone()) for weight in weights], loss.double()
            audio, text = unit(sounds @ towers[0]), unit(texts @ towers[1])
            pairs = Pairs.of(KEYS[rows], kind, chunk=2)
            columns = gather_rows(text, pairs.counts)
            part = loss(audio, columns, pairs)
            loss.zero_grad()
            part.backward()
            parameters = [towers[0].grad, towers[1].grad, *(p.grad for p in loss.parameters())]
            values = [
                sum_over_ranks(one) / len(pairs.counts) for one in (part, *parameters) if one is not None
            ]
            found[f"{type(loss).__name__} {kind}"] = [*values, *hits(audio, columns, pairs)]
    return found


def gathered(rows: slice, counts: tuple[int, ...]) -> dict[str, Any]:
    values = torch.arange(14.0).view(7, 2)[rows].requires_grad_()
    everything = gather_rows(values, counts)
    number = dist.get_rank() + 1
    weights = number * torch.arange(1.0, 8)[:, None].expand(7, 2)
    torch.autograd.backward([everything], [weights])
    return {
        "everything": everything.detach(), "gradient": values.grad, "counts": row_counts(len(values), values.device),
        "most": max_over_ranks(torch.tensor([float(number), float(-number)])),
    }  # fmt: skip


def work(number: int, count: int, out: Path) -> None:
    torch.set_num_threads(1)
    with group(number, count, out):
        rows = mine(number, count)
        torch.save({"losses": losses(rows), **gathered(rows, ROWS[count])}, out / f"{number}.pt")


@pytest.fixture(scope="module", params=[1, 2, 3])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    count, out = request.param, tmp_path_factory.mktemp("ranks")
    if count == 1:
        work(0, 1, out)
    else:
        processes.spawn(work, (count, out), nprocs=count)  # type: ignore[attr-defined, no-untyped-call]
    return [torch.load(out / f"{number}.pt") for number in range(count)]


def test_every_rank_has_the_rows_of_all_in_their_order(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert torch.equal(one["everything"], torch.arange(14.0).view(7, 2))
        assert one["counts"] == ROWS[len(found)]


def test_a_rows_gradient_is_the_sum_over_what_ranks_have_for_it(found: list[dict[str, Any]]) -> None:
    total = sum(range(1, len(found) + 1)) * torch.arange(1.0, 8)[:, None].expand(7, 2)
    assert torch.equal(torch.cat([one["gradient"] for one in found]), total)


def test_the_greatest_of_all_ranks_is_known_to_each(found: list[dict[str, Any]]) -> None:
    for one in found:
        assert one["most"].tolist() == [len(found), -1]


def test_gradients_averaged_over_ranks_are_those_of_one_process_with_all_rows(
    found: list[dict[str, Any]],
) -> None:
    expected = losses(slice(0, 7))
    assert len(expected) == 6
    for one in found:
        for name, values in expected.items():
            torch.testing.assert_close(one["losses"][name], values, rtol=1e-9, atol=1e-12, msg=name)


def test_alone_nothing_is_gathered() -> None:
    rows = torch.ones(3, 2)
    assert gather_rows(rows, row_counts(3, rows.device)) is rows


def test_rows_that_were_not_announced_are_an_error() -> None:
    with pytest.raises(AssertionError, match="3 rows"):
        gather_rows(Tensor(3, 2), (2,))
