"""What processes do together, by real gloo processes on loopback."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.multiprocessing.spawn import spawn

from captionstew.train.launch import joined
from captionstew.train.ranks import average_gradients, gather, rank, share, world


def _work(number: int, count: int, port: int, out: Path) -> None:
    os.environ |= {"RANK": str(number), "WORLD_SIZE": str(count), "LOCAL_RANK": "0",
                   "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    torch.set_num_threads(1)
    with joined():
        first, lacking = nn.Parameter(torch.full((2, 3), float(number))), nn.Parameter(torch.zeros(4))
        share([first, lacking])
        first.grad = torch.full((2, 3), float(number + 1))
        if number == 0:
            lacking.grad = torch.ones(4)
        average_gradients([first, lacking])
        assert lacking.grad is not None
        found: dict[str, Any] = {
            "rank": rank(),
            "world": world(),
            "values": first.detach(),
            "first": first.grad,
        }
        torch.save(found | {"lacking": lacking.grad, "names": gather([f"r{number}"])}, out / f"{number}.pt")


def test_gradients_are_averaged_and_a_missing_one_counts_as_zero(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    spawn(_work, (2, port, tmp_path), nprocs=2)  # type: ignore[no-untyped-call]
    for number in range(2):
        found = torch.load(tmp_path / f"{number}.pt")
        assert (found["rank"], found["world"]) == (number, 2)
        assert found["values"].eq(0).all()  # those of rank 0
        assert found["first"].eq(1.5).all()
        assert found["lacking"].eq(0.5).all()
        assert found["names"] == [["r0"], ["r1"]]


def test_alone_nothing_changes() -> None:
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    average_gradients([weight])
    assert weight.grad.eq(1).all()
    assert gather("x") == ["x"]
    assert (rank(), world()) == (0, 1)


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE"])
def test_a_process_of_its_own_joins_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name, raising=False)
    with joined() as device:
        assert device.type in {"cpu", "cuda"}
        assert world() == 1
