"""What several end-to-end tests look at, made once."""

from pathlib import Path

import pytest

from captionstew.corpora.facts import corpus
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.recipe import recipe


@pytest.fixture(scope="session")
def sampler_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default build, whole; not to be changed: who writes takes a copy."""
    out = tmp_path_factory.mktemp("sampler-build")
    pipeline = recipe("sampler")
    Build(Request(pipeline, out, tuple(corpus(name) for name in pipeline.corpora), cluster="none")).run()
    return out
