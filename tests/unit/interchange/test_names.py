"""Names that stand for ids."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captionstew.interchange.names import clip_id_of, file_on_disk, key

from .conftest import IDS


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_key_is_plain_and_stands_for_its_id_alone(clip_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_%-]+", key(clip_id))
    assert clip_id_of(key(clip_id)) == clip_id


@pytest.mark.parametrize("clip_id", IDS)
def test_a_file_name_fits_every_disk(clip_id: str) -> None:
    name = file_on_disk(7, clip_id, ".flac")
    assert re.fullmatch(r"000007-[A-Za-z0-9@._=+-]{1,120}\.flac", name)


def test_ids_that_differ_in_case_alone_have_names_that_do_not() -> None:
    first, second = (file_on_disk(place, f"yt:{name}@0", ".flac") for place, name in enumerate(("aB", "Ab")))
    assert first.lower() != second.lower()
