"""File names: the templates of the facts, most likely first."""

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.names import names

ROW = {"source_id": "yt:-Y_2x3x4x5x", "start": 30.0, "end": 40.0, "file": None}


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("audiocaps", {}, ["-Y_2x3x4x5x_30", "-Y_2x3x4x5x_000030", "Y-Y_2x3x4x5x", "-Y_2x3x4x5x"]),
        ("musiccaps", {}, ["-Y_2x3x4x5x_30", "-Y_2x3x4x5x_000030", "[-Y_2x3x4x5x]-[30-40]", "Y-Y_2x3x4x5x",
                           "-Y_2x3x4x5x"]),
        ("audiosetcaps-audioset", {"start": None}, ["Y-Y_2x3x4x5x", "-Y_2x3x4x5x"]),
        ("clotho", {"file": "development/a [1].wav"}, ["development/a [1].wav", "a [1].wav"]),
        ("esc50", {"file": "001 - Dog bark/1-1-A.ogg"},
         ["audio/001 - Dog bark/1-1-A.ogg", "001 - Dog bark/1-1-A.ogg", "1-1-A.ogg"]),
        ("wavcaps-freesound", {"source_id": "fs:9", "file": "9", "start": None}, ["9"]),
    ],
)  # fmt: skip
def test_names_of_real_corpora(name: str, changes: dict[str, object], expected: list[str]) -> None:
    table = pl.DataFrame({column: [value] for column, value in {**ROW, **changes}.items()}).with_columns(
        pl.col("start", "end").cast(pl.Float64), pl.col("file").cast(pl.String)
    )
    assert table.select(names(corpus(name))).item().to_list() == expected
