"""Tests of the model side run on one thread: models this small spend all their time waiting for a second one."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
