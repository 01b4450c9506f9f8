"""A tiny Llama with random weights (`llama_folder`), and vLLM's interpreter."""

import os
from pathlib import Path

import pytest

from captionstew.enrich.environment import vllm_python
from captionstew.errors import EngineError

CONTEXT = 512


@pytest.fixture(scope="session")
def python() -> Path:
    """The interpreter that has vLLM; without one there is nothing to test here."""
    try:
        found = vllm_python()
    except EngineError as error:
        pytest.skip(f"{error}")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    return found


@pytest.fixture(scope="session")
def model(llama_folder: Path) -> Path:
    """A folder as `vicuna-tiny`: 0.7 M parameters, 1,024 tokens, no chat template of its own, as Vicuna has none."""
    return llama_folder
