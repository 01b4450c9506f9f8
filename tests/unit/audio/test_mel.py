"""Log-mels against Kaldi's, against the obvious way to compute them, and against themselves in other batches."""

import copy
import json
import math
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from captionstew.audio import mel as module
from captionstew.audio.mel import SILENCE, LogMel, flap_mel, full_product, zipformer_mel

Samples = npt.NDArray[np.float32]
Maker = Callable[..., Samples]
FLOOR = float(torch.finfo(torch.float32).eps)


def obvious(samples: Samples, mel: LogMel) -> npt.NDArray[np.float64]:
    """The definition in float64, a frame at a time."""
    filters, length = mel.filters, len(samples)
    frame, hop, fft = filters.frame, filters.hop, filters.fft
    if mel.snip_edges:
        count, left = max(0, 1 + (length - frame) // hop) if length >= frame else 0, 0
    else:
        count, left = (length + hop // 2) // hop, (frame - hop) // 2
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / (frame - 1))
    window = window**0.85 if filters.window == "povey" else window
    edges = np.linspace(_mel(filters.lowest), _mel(filters.highest), filters.num_mels + 2)
    rows = []
    for number in range(count):
        values = np.array([_reflected(samples, number * hop - left + i) for i in range(frame)], np.float64)
        values -= values.mean()
        values = np.concatenate([[values[0] * 0.03], values[1:] - 0.97 * values[:-1]]) * window
        power = np.abs(np.fft.rfft(values, fft)) ** 2
        row = []
        for low, middle, high in zip(edges, edges[1:], edges[2:], strict=False):
            bins = _mel(np.arange(fft // 2) * filters.sample_rate / fft)
            weights = np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle))
            row.append(math.log(max(FLOOR, float(power[: fft // 2] @ np.maximum(weights, 0)))))
        rows.append(row)
    return np.array(rows).reshape(count, filters.num_mels)


def _mel(hertz: Any) -> Any:
    return 1127 * np.log(1 + hertz / 700)


def _reflected(samples: Samples, at: int) -> float:
    while not 0 <= at < len(samples):
        at = -at - 1 if at < 0 else 2 * len(samples) - 1 - at
    return float(samples[at])


def batch(clips: list[Any]) -> tuple[Tensor, Tensor]:
    """Clips side by side; what lies beyond each one's end is not a number."""
    lengths = torch.tensor([len(clip) for clip in clips])
    audio = torch.full((len(clips), int(lengths.max())), torch.nan)
    if clips[0].dtype == np.int16:
        audio = torch.full(audio.shape, 32_767, dtype=torch.int16)
    for row, clip in zip(audio, clips, strict=True):
        row[: len(clip)] = torch.from_numpy(clip)
    return audio, lengths


def at_once(mel: LogMel, audio_BS: Tensor, lengths_B: Tensor) -> Tensor:
    """The form for accelerators, here on the CPU, normalised."""
    return (mel.at_once(audio_BS, lengths_B, mel.frames_of(lengths_B)) - mel.mean) / mel.divisor


@pytest.fixture(scope="module")
def clips(melody: Maker) -> list[Samples]:
    """From one frame to more than a block, with a pause in one of them and a step in another."""
    seconds = (0.4, 6.3, 0.013, 2.2, 0.0101, 0.0051, 1.0)
    sounds = [melody(seed, length) for seed, length in enumerate(seconds)]
    sounds[1][30_000:40_000] = 0
    sounds[3] += 0.3
    return sounds


@pytest.mark.parametrize(("mel", "name"), [(zipformer_mel(), "fbank80"), (flap_mel(0.0, 0.5), "fbank128")])
@pytest.mark.parametrize("form", ["in blocks", "at once"])
def test_features_are_those_of_kaldi(golden: Path, mel: LogMel, name: str, form: str) -> None:
    data = np.load(golden / "fbank_a.npz")
    silence = json.loads((golden / "fbank_a.json").read_text())["silence_value"]
    audio, lengths = batch([data[f"wave{i}"] for i in range(3)])
    features = mel(audio, lengths)[0] if form == "in blocks" else at_once(mel, audio, lengths)
    for i, count in enumerate(mel.frames_of(lengths).tolist()):
        expected = data[f"{name}_{i}"]
        assert expected.shape == (count, mel.filters.num_mels)
        difference = np.abs(features[i, :count].numpy() - expected)
        assert difference.mean() < 1e-4
        assert difference.max() < 5e-3
        assert features[i, :count].min() == pytest.approx(silence, abs=1e-6)


@pytest.mark.parametrize("mel", [zipformer_mel(), flap_mel(), LogMel(23, 8_000, highest=3800)])
def test_both_forms_agree_with_the_obvious_one(mel: LogMel, clips: list[Samples]) -> None:
    short = [clip for clip in clips if len(clip) < 8_000] + [clips[3][:8_000]]
    audio, lengths = batch(short)
    (blocks, counts), together = mel(audio, lengths), at_once(mel, audio, lengths)
    for clip, count, in_blocks, alone in zip(short, counts, blocks, together, strict=True):
        expected = torch.from_numpy((obvious(clip, mel) - mel.mean) / mel.divisor)
        assert len(expected) == count
        assert torch.allclose(in_blocks[:count].double(), expected, atol=5e-3)
        assert torch.allclose(alone[:count].double(), expected, atol=5e-3)
        assert (in_blocks[:count] - expected).abs().sum() <= 1e-4 * expected.numel()


@pytest.mark.parametrize("mel", [zipformer_mel(), flap_mel()])
def test_both_forms_agree_on_clips_longer_than_a_block(mel: LogMel, clips: list[Samples]) -> None:
    audio, lengths = batch(clips)
    blocks, together = mel(audio, lengths)[0], at_once(mel, audio, lengths)
    assert blocks.shape == together.shape
    assert (blocks - together).abs().mean() < 1e-5
    assert (blocks - together).abs().max() < 2e-3


@pytest.mark.parametrize("mel", [zipformer_mel(), flap_mel()])
def test_an_item_has_the_same_frames_alone_and_in_any_batch_to_the_last_bit(
    mel: LogMel, clips: list[Samples]
) -> None:
    for order in (clips, clips[::-1]):
        features, counts = mel(*batch(order))
        for clip, item, count in zip(order, features, counts.tolist(), strict=True):
            alone, own = mel(*batch([clip]))
            assert own.tolist() == [count]
            assert torch.equal(alone[0, :count], item[:count])


def test_padding_holds_the_value_that_zipformers_were_trained_with(clips: list[Samples]) -> None:
    features, counts = zipformer_mel()(*batch(clips))
    together = at_once(zipformer_mel(), *batch(clips))
    for item, other, count in zip(features, together, counts.tolist(), strict=True):
        assert (item[count:] == torch.tensor(SILENCE)).all()
        assert (other[count:] == torch.tensor(SILENCE)).all()
        assert torch.isfinite(item).all()


def test_ten_seconds_are_a_thousand_frames() -> None:
    features, counts = zipformer_mel()(torch.zeros(2, 160_000), torch.tensor([160_000, 80]))
    assert features.shape == (2, 1000, 80)
    assert counts.tolist() == [1000, 1]
    assert features[0].unique().tolist() == pytest.approx([math.log(FLOOR)])


def test_flap_pads_with_zeros_before_it_normalises_and_cuts_what_is_longer(melody: Maker) -> None:
    mel = flap_mel()
    features, counts = mel(*batch([melody(1, 10.0), melody(2, 11.0), melody(3, 0.02)]))
    assert features.shape == (3, 1024, 128)
    assert counts.tolist() == [998, 1024, 0]
    zero = 4.2677393 / (2 * 4.5689974)
    assert features[0, 998:].unique().tolist() == pytest.approx([zero])
    assert features[2].unique().tolist() == pytest.approx([zero])


@pytest.mark.parametrize("samples", [0, 1, 79])
def test_a_clip_too_short_for_a_frame_has_none(samples: int) -> None:
    mel, lengths = zipformer_mel(), torch.tensor([samples, 400])
    features, counts = mel(torch.zeros(2, 400), lengths)
    assert counts.tolist() == [0, 3]
    assert (features[0] == torch.tensor(SILENCE)).all()
    assert torch.equal(at_once(mel, torch.zeros(2, 400), lengths), features)
    assert mel(torch.zeros(1, samples), lengths[:1])[0].shape == (1, 0, 80)


def test_samples_of_16_bits_give_what_they_stand_for(melody: Maker) -> None:
    pcm = [(melody(seed, 1.0 + seed) * 32_767).astype(np.int16) for seed in range(3)]
    mel, (audio, lengths) = zipformer_mel(), batch(pcm)
    as_floats = mel(audio.float() / 32_768, lengths)[0]
    assert torch.equal(mel(audio, lengths)[0], as_floats)
    assert torch.equal(at_once(mel, audio, lengths), at_once(mel, audio.float() / 32_768, lengths))


def test_a_clip_of_broken_samples_leaves_the_next_one_alone(melody: Maker) -> None:
    mel, clip = zipformer_mel(), melody(5, 0.5)
    before = mel(*batch([clip]))[0]
    broken = torch.full((1, 120_000), torch.nan)
    assert mel(broken, torch.tensor([120_000]))[0].isnan().all()
    assert torch.equal(mel(*batch([clip]))[0], before)


def test_threads_do_not_disturb_each_other(clips: list[Samples]) -> None:
    mel, (audio, lengths) = zipformer_mel(), batch(clips)
    expected = mel(audio, lengths)[0]
    found: list[Tensor] = []

    def work() -> None:
        found.extend(mel(audio, lengths)[0] for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(torch.equal(each, expected) for each in found)


def test_nothing_around_it_changes_the_numbers(clips: list[Samples]) -> None:
    mel, (audio, lengths) = zipformer_mel(), batch(clips)
    expected, together = mel(audio, lengths)[0], at_once(mel, audio, lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(mel(audio, lengths)[0], expected)
    half = copy.deepcopy(mel).to(torch.bfloat16)
    assert torch.equal(half(audio, lengths)[0], expected)
    assert torch.equal(at_once(pickle.loads(pickle.dumps(half)), audio, lengths), together)
    assert not mel.state_dict()
    assert not mel(audio.requires_grad_(), lengths)[0].requires_grad


def test_frames_can_be_trained_on_though_the_first_were_made_in_inference_mode(clips: list[Samples]) -> None:
    mel, weights = LogMel(17), torch.ones(17, requires_grad=True)
    with torch.inference_mode():
        expected = mel(*batch(clips))[0].clone()
    features = mel(*batch(clips))[0]
    assert torch.equal(features, expected)
    (features @ weights).sum().backward()  # saves the features
    assert weights.grad is not None


def test_the_form_for_accelerators_is_one_graph(
    clips: list[Samples], monkeypatch: pytest.MonkeyPatch
) -> None:
    mel, (audio, lengths) = zipformer_mel(), batch(clips)
    expected = at_once(mel, audio, lengths)
    monkeypatch.setattr(module._rooms, "of", None)  # blocks would fail
    compiled = torch.compile(mel, backend="eager", fullgraph=True)
    features, counts = compiled(audio.requires_grad_(), lengths)
    assert torch.equal(features, expected)
    assert not features.requires_grad
    assert counts.tolist() == mel.frames_of(lengths).tolist()


def test_nothing_waits_for_the_host_on_an_accelerator() -> None:
    mel = zipformer_mel().to("meta")  # holds no values: asking for one fails
    lengths = torch.empty(3, dtype=torch.int64, device="meta")
    counts = mel.frames_of(lengths)
    features = mel.at_once(torch.empty(3, 16_000, device="meta"), lengths, counts)
    assert features.shape == (3, 100, 80)
    assert features.device.type == "meta"


def test_a_product_keeps_float32_precision_where_only_the_first_11_bits_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = torch.Generator().manual_seed(1)
    left, right = torch.rand(50, 256, generator=draw), torch.rand(256, 80, generator=draw)
    exact, plain = left.double() @ right.double(), torch.matmul

    def tf32(a: Tensor, b: Tensor) -> Tensor:
        return plain(_rounded(a), _rounded(b))

    assert _error(tf32(left, right), exact) > 1e-5
    monkeypatch.setattr(Tensor, "__matmul__", tf32)
    assert _error(full_product(left, right), exact) < 1e-6


def _error(found: Tensor, exact: Tensor) -> float:
    return float((found / exact - 1).abs().max())


def _rounded(values: Tensor) -> Tensor:
    return ((values.view(torch.int32) + 0x1000) & ~0x1FFF).view(torch.float32)
