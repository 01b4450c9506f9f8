"""A build with everything in it, and the material of a report about it."""

import pytest

from captionstew.report.material import Material, material
from captionstew.report.source import Source

from .builds import enriched


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """Ten clips of two corpora, enriched; not to be changed."""
    return enriched(tmp_path_factory.mktemp("enriched"))


@pytest.fixture(scope="session")
def gathered(build: Source) -> Material:
    """All of it, for those who built it."""
    return material(build, clips_shown=8, public=False, against=None, tell=lambda _: None)
