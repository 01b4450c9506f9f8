"""Training and validation batches as tensors."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch

from captionstew.audio.codec import decode_pcm
from captionstew.errors import StewError
from captionstew.schema import schema
from captionstew.shards.batching import Batching
from captionstew.shards.layout import shard_path
from captionstew.shards.read import Clips
from captionstew.shards.write import write_shard
from captionstew.train.data import Batch, TrainingData
from captionstew.train.objectives.objective import Text

SETTINGS = Batching(seconds=1.0, squares=0.1, longest=0.09, shortest=0.02, window=50)


def _row(number: int) -> dict[str, Any]:
    num_samples = 400 + 13 * (number % 90)
    file = io.BytesIO()
    pcm = (9000 * np.sin(np.arange(num_samples) * (0.02 + 0.0007 * number))).astype(np.int16)
    soundfile.write(file, pcm, 16_000, format="FLAC", subtype="PCM_16")
    facts: dict[str, Any] = dict.fromkeys(schema("clip.v1").names)
    for column in schema("clip.v1").arrow():
        if not column.nullable:
            facts[column.name] = [] if pa.types.is_list(column.type) else b"" if pa.types.is_binary(column.type) else (
                "x" if pa.types.is_string(column.type) else 0)  # fmt: skip
    texts = [f"sound {number}", f"again {number}"][: 1 + number % 2]
    return facts | {
        "clip_id": f"yt:{number:011d}@0", "corpus": "tones", "split": "train", "num_samples": num_samples,
        "audio": {"bytes": file.getvalue(), "path": "a.flac"}, "codec": "flac", "sample_rate": 16_000,
        "captions": [{"text": text, "source": "tones", "style": "human", "language": "en"} for text in texts],
    }  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of 200 clips with one caption or two."""
    folder = tmp_path_factory.mktemp("build")
    table = pa.Table.from_pylist([_row(number) for number in range(200)], schema("clip.v1").arrow())
    write_shard(folder / shard_path("audio", "tones", "train", 0, 1), [table])
    return folder


def letters(captions: Sequence[str]) -> Text:
    """A token for each letter."""
    lengths_B = torch.tensor([len(caption) for caption in captions])
    ids_BL = torch.zeros(len(captions), int(lengths_B.max()), dtype=torch.int64)
    for row, caption in enumerate(captions):
        ids_BL[row, : len(caption)] = torch.tensor([ord(letter) for letter in caption])
    return Text(ids_BL, lengths_B, tuple(captions))


def _data(build: Path, settings: Batching = SETTINGS, **how: Any) -> TrainingData:
    return TrainingData(build, settings, letters, **how)


def _taken(data: TrainingData, count: int) -> list[Batch]:
    with data:
        return list(islice(data, count))


def _same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.audio_BS, b.audio_BS)
        and torch.equal(a.seeds_B, b.seeds_B)
        and torch.equal(a.text.ids_BL, b.text.ids_BL)
        and a.captions == b.captions
        and a.position == b.position
        for a, b in zip(one, other, strict=True)
    )


def test_a_batch_holds_the_audio_and_a_caption_of_its_clips(build: Path) -> None:
    clips, data = Clips(build), _data(build)
    for batch in _taken(data, 20):
        assert batch.audio_BS.dtype == torch.int16
        assert batch.lengths_B.dtype == batch.seeds_B.dtype == torch.int64
        assert batch.audio_BS.shape == (len(batch), int(batch.lengths_B.max()))
        assert batch.seconds == pytest.approx(float(batch.lengths_B.sum()) / 16_000)
        assert batch.text.captions == tuple(batch.captions)
        assert batch.names() == [f"yt:{clip:011d}@0" for clip in batch.clips]
        for row, clip in enumerate(batch.clips.tolist()):
            pcm = torch.from_numpy(decode_pcm(clips.clip_bytes(clip), "flac")[0])
            if len(pcm) <= 0.09 * 16_000:
                assert torch.equal(batch.audio_BS[row, : len(pcm)], pcm)
            assert not batch.audio_BS[row, int(batch.lengths_B[row]) :].any()
            assert batch.captions[row] in clips.captions(clip)
    assert 0 < data.padding < 0.15
    assert data.epoch >= 1


def test_a_run_that_stopped_at_any_batch_goes_on_with_the_very_same(build: Path) -> None:
    whole = _taken(_data(build), 40)
    for count in (1, 11, 25):
        first, second = _data(build, threads=1), _data(build, threads=4)
        began = _taken(first, count)
        text = json.dumps(first.state())
        assert len(text) < 100
        second.seek(json.loads(text))
        assert _same(began + _taken(second, 40 - count), whole)


def test_another_number_of_ranks_goes_on_without_loss(build: Path) -> None:
    whole = _taken(_data(build), 3 * 4 + 2 * 10)
    three = [_data(build, rank=rank, world=3) for rank in range(3)]
    taken = [batch for step in zip(*(_taken(data, 4) for data in three), strict=True) for batch in step]
    assert len({json.dumps(data.state()) for data in three}) == 1
    two = [_data(build, rank=rank, world=2) for rank in range(2)]
    for data in two:
        data.seek(three[0].state())
    taken += [batch for step in zip(*(_taken(data, 10) for data in two), strict=True) for batch in step]
    assert all(
        torch.equal(a.audio_BS, b.audio_BS) and a.captions == b.captions
        for a, b in zip(taken, whole, strict=True)
    )


def test_a_state_of_other_settings_is_refused(build: Path) -> None:
    state = _data(build).state()
    with pytest.raises(StewError, match="another stream of batches"):
        _data(build, replace(SETTINGS, seconds=2.0)).seek(state)


def test_iterating_again_goes_on_where_training_stands(build: Path) -> None:
    data, whole = _data(build), _taken(_data(build), 8)
    assert _same(_taken(data, 3) + _taken(data, 5), whole)


def test_validation_passes_every_clip_once_however_often(build: Path) -> None:
    data = _data(build, replace(SETTINGS, shuffle=False))
    first = list(data)
    _taken(data, 2)
    assert _same(first, list(data))
    assert sorted(clip for batch in first for clip in batch.clips.tolist()) == list(range(200))


def test_all_captions_come_as_rows_of_their_own(build: Path) -> None:
    settings = replace(SETTINGS, shuffle=False, captions="all")
    captions = [caption for batch in _data(build, settings) for caption in batch.captions]
    assert sorted(captions) == sorted(text for n in range(200) for text in Clips(build).captions(n))


def test_audio_without_captions_has_empty_text(build: Path) -> None:
    data = TrainingData(build, replace(SETTINGS, captions="none"))
    batch = _taken(data, 1)[0]
    assert batch.text.ids_BL.shape == (len(batch), 0)
    assert batch.captions == [""] * len(batch)


def test_a_batch_moves_to_a_device_whole(build: Path) -> None:
    batch = _taken(_data(build), 1)[0].to(torch.device("meta"))
    tensors = (batch.audio_BS, batch.lengths_B, batch.seeds_B, batch.text.ids_BL, batch.text.lengths_B)
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_gpu_copies_from_pinned_memory_that_nobody_overwrites(build: Path) -> None:
    device = torch.device("cuda", torch.cuda.device_count() - 1)
    plain, moved = _taken(_data(build), 60), []
    with _data(build, device=device) as data:
        for batch in islice(data, 60):
            assert batch.audio_BS.is_pinned()
            assert batch.text.ids_BL.is_pinned()
            torch.cuda._sleep(20_000_000)  # type: ignore[no-untyped-call]  # copies queue up behind this while the loader runs on
            moved.append(batch.to(device))
            del batch
    assert all(torch.equal(a.audio_BS, b.audio_BS.cpu()) for a, b in zip(plain, moved, strict=True))
