"""Augmentation: what it may change, how much, and that seeds alone decide it."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from captionstew.errors import StewError
from captionstew.train.augment import Augmentation, spec_augment
from captionstew.train.augment.draws import below, split, uniform
from captionstew.train.augment.noise import MixNoise
from captionstew.train.augment.spec_augment import SpecAugment
from captionstew.train.augment.wave import BetaGain, Crop, Gain, Roll

MANY = torch.arange(4000)
MASKS = SpecAugment(probability=1.0, time_warp=0)
STEPS = [SpecAugment(), SpecAugment.flap(), MASKS, SpecAugment(probability=1.0)]


def waves(*lengths: int) -> tuple[Tensor, Tensor]:
    """Noise side by side, with a 9 wherever there is no audio."""
    draw = torch.Generator().manual_seed(len(lengths))
    audio = torch.full((len(lengths), max(lengths)), 9.0)
    for row, length in zip(audio, lengths, strict=True):
        row[:length] = torch.randn(length, generator=draw) * 0.1
    return audio, torch.tensor(lengths)


def mels(*lengths: int, bins: int = 80) -> tuple[Tensor, Tensor]:
    """Log-mels side by side, smooth in time, with a 9 wherever there is no frame."""
    audio, frames = waves(*(length * bins for length in lengths))
    features = audio.view(len(lengths), -1, bins).clone()
    for item, length in zip(features, lengths, strict=True):
        item[:length] = item[:length].cumsum(0) - 5
    return features, frames // bins


# Draws


def test_draws_of_a_seed_are_the_same_on_every_machine() -> None:
    seeds = torch.tensor([0, 1, 2**63 - 1])
    assert (uniform(seeds, 0, 2) * 2**24).long().tolist() == [
        [15107203, 9919289],
        [7090748, 6970892],
        [7984950, 11362185],
    ]
    assert torch.equal(uniform(seeds.flip(0), 0, 2), uniform(seeds, 0, 2).flip(0))
    assert torch.equal(uniform(seeds[1:2], 0, 2), uniform(seeds, 0, 2)[1:2])


def test_draws_are_even_and_know_nothing_of_each_other() -> None:
    draws = torch.cat([uniform(MANY, 0, 4), uniform(MANY, 1, 4), uniform(split(MANY, 0), 0, 4)], 1)
    assert 0 <= draws.min() < draws.max() < 1
    assert torch.allclose(draws.mean(0), torch.tensor(0.5), atol=0.02)
    assert torch.allclose(draws.std(0), torch.tensor(12**-0.5), atol=0.02)
    assert (torch.corrcoef(draws.T) - torch.eye(12)).abs().max() < 0.08
    assert torch.corrcoef(torch.stack([draws[1:, 0], draws[:-1, 0]]))[0, 1].abs() < 0.08


def test_integers_stay_below_their_limits() -> None:
    for limit in (1, 2, 7, 2**31 - 1):
        drawn = below(MANY, 0, torch.tensor([[limit]]), 3)
        assert drawn.min() >= 0
        assert drawn.max() < limit
        assert drawn.float().mean() == pytest.approx((limit - 1) / 2, rel=0.05)
    assert torch.unique(below(MANY, 0, torch.tensor([[-5]]))).tolist() == [0]
    assert torch.unique(below(MANY, 0, torch.tensor([[7]]))).tolist() == list(range(7))


# SpecAugment


@pytest.mark.parametrize("step", STEPS)
def test_an_item_is_augmented_the_same_way_alone_and_in_any_batch(step: SpecAugment) -> None:
    features, lengths = mels(300, 30, 400, 162, bins=40)
    seeds = torch.tensor([5, 6, 7, 8])
    together = step(features, lengths, seeds)
    for i, length in enumerate(lengths.tolist()):
        alone = step(features[i : i + 1, :length], lengths[i : i + 1], seeds[i : i + 1])
        assert torch.allclose(alone[0], together[i, :length], atol=1e-5)
        assert (together[i, length:] == 9).all()


@pytest.mark.parametrize("step", STEPS)
def test_seeds_alone_decide_and_the_input_stays(step: SpecAugment) -> None:
    features, lengths = mels(250, 180, bins=60)
    before = features.clone()
    first, again = (step(features, lengths, torch.tensor([1, 2])) for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(features, before)
    others = [step(features, lengths, torch.tensor([seed, seed])) for seed in range(3, 9)]
    assert not all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize(
    ("frames", "most", "masks"), [(100, 15, 1), (667, 100, 2), (1000, 150, 2), (2000, 300, 3), (3000, 450, 5)]
)
def test_time_masks_cover_no_more_than_their_share(frames: int, most: int, masks: int) -> None:
    features, lengths = mels(*[frames] * 200, bins=2)
    step = replace(MASKS, num_frequency_masks=0, fill=7.0)
    masked = (step(features, lengths, torch.arange(200)) == 7).all(2)
    assert most * 0.5 < masked.sum(1).max() <= most
    runs = (masked.long().diff(dim=1, prepend=torch.zeros(200, 1).long()) == 1).sum(1)
    assert runs.max() == masks
    assert masked[:, : frames // 10].any()
    assert masked[:, -frames // 10 :].any()


def test_ten_seconds_get_two_time_masks_of_75_frames_at_most() -> None:
    features, lengths = mels(*[1000] * 400, bins=2)
    step = replace(MASKS, num_frequency_masks=0, fill=7.0)
    masked = (step(features, lengths, torch.arange(400)) == 7).all(2)
    edges = masked.long().diff(dim=1, prepend=torch.zeros(400, 1).long(), append=torch.zeros(400, 1).long())
    assert (edges == 1).sum(1).max() == 2
    alone = (edges == 1).sum(1) == 1  # of two that touch, the widths are unknown
    widths = [int((row == -1).nonzero()[0] - (row == 1).nonzero()[0]) for row in edges[~alone]]
    assert 70 <= max(widths) <= 75


def test_frequency_masks_are_two_of_27_bins_at_most() -> None:
    features, lengths = mels(*[20] * 400)
    step = replace(MASKS, num_time_masks=1, time_share=0.0, fill=7.0)
    masked = (step(features, lengths, torch.arange(400)) == 7).all(1)
    assert 45 < masked.sum(1).max() <= 54
    assert masked.any(0).all()
    assert masked.sum(1).float().mean() == pytest.approx(24.6, abs=1.5)  # 27 less what overlaps


def test_masks_hold_the_mean_of_the_clip() -> None:
    features, lengths = mels(400, 90)
    changed = MASKS(features, lengths, torch.tensor([1, 2]))
    for before, after, length in zip(features, changed, lengths.tolist(), strict=True):
        masked = after[:length] != before[:length]
        assert masked.any()
        assert torch.allclose(after[:length][masked], before[:length].mean())


def test_flap_zeroes_up_to_192_frames_and_48_bins() -> None:
    features, lengths = mels(*[300] * 150, bins=128)
    zeros = SpecAugment.flap()(features, lengths, torch.arange(150)) == 0
    assert 180 < zeros.all(2).sum(1).max() <= 192
    assert 45 < zeros.all(1).sum(1).max() <= 48
    short, few = mels(20, 1, bins=128)
    assert SpecAugment.flap()(short, few, torch.tensor([3, 4])).isfinite().all()


def test_a_tenth_of_the_clips_stays_as_it_is() -> None:
    features, lengths = mels(*[200] * 1000, bins=4)
    changed = SpecAugment(widest_frequency_mask=2)(features, lengths, torch.arange(1000))
    assert (changed != features).any(2).any(1).float().mean() == pytest.approx(0.9, abs=0.03)


def test_a_warp_stretches_both_sides_of_a_frame_as_interpolation_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features, lengths = mels(300, 162, 500, 161)
    seeds = torch.tensor([11, 12, 13, 14])
    centers, targets = _warps(lengths, seeds, 80)
    step = SpecAugment(probability=1.0, num_frequency_masks=1, widest_frequency_mask=0, time_share=0.0)
    warped = step(features, lengths, seeds)
    for i, (length, center, target) in enumerate(zip(lengths.tolist(), centers, targets, strict=True)):
        clip = features[i : i + 1, None, :length]
        if length <= 161:
            assert torch.equal(warped[i], features[i])
            continue
        assert 80 < center < length - 80
        assert abs(target - center) <= 80
        sides = [(clip[:, :, :center], target), (clip[:, :, center:], length - target)]
        expected = torch.cat([interpolate(side, (size, 80), mode="bicubic") for side, size in sides], 2)
        assert torch.allclose(warped[i, :length], expected[0, 0], atol=1e-3)


def _warps(lengths_B: Tensor, seeds_B: Tensor, most: int) -> tuple[list[int], list[int]]:
    centers = most + 1 + below(seeds_B, spec_augment._CENTER, lengths_B[:, None] - 2 * most - 1)
    moves = below(seeds_B, spec_augment._WARPED, torch.tensor([[2 * most + 1]])) - most
    return centers[:, 0].tolist(), (centers + moves)[:, 0].tolist()


@pytest.mark.parametrize("step", [*STEPS, Gain(), BetaGain(), Roll(), Crop(40)])
def test_nothing_waits_for_the_host_on_an_accelerator(step: Any) -> None:
    features, lengths = (
        each.to("meta") for each in mels(300, 200, bins=30)
    )  # no values: asking for one fails
    batch = features if isinstance(step, SpecAugment) else features[:, :, 0]
    changed = step(batch, lengths, torch.empty(2, dtype=torch.int64, device="meta"))
    assert all(each.device.type == "meta" for each in (changed if isinstance(changed, tuple) else (changed,)))


# Audio


def bank(number: int) -> npt.NDArray[Any]:
    """A short 16-bit noise, a long float one, and silence."""
    draw = np.random.default_rng(number)
    if number == 0:
        return (draw.standard_normal(700) * 3000).astype(np.int16)
    return (draw.standard_normal(50_000) * 0.2 if number == 1 else np.zeros(100)).astype(np.float32)


@pytest.mark.parametrize("number", [0, 1])
def test_noise_lies_10_to_20_db_below_its_clip(number: int) -> None:
    audio, lengths = waves(*[8000, 3000] * 100)
    before = audio.clone()
    mixed = MixNoise(lambda _: bank(number), 1, probability=1.0)(audio, lengths, torch.arange(200))
    assert torch.equal(audio, before)
    ratios = []
    for clip, other, length in zip(audio, mixed, lengths.tolist(), strict=True):
        added = other[:length] - clip[:length]
        ratios.append(float(10 * torch.log10(clip[:length].square().sum() / added.square().sum())))
        assert torch.equal(other[length:], clip[length:])
    assert 9.99 < min(ratios) < 10.5
    assert 19.5 < max(ratios) < 20.01


def test_short_noise_is_repeated_and_long_noise_cut_at_drawn_places() -> None:
    audio, lengths = waves(2000, 2000)
    short = MixNoise(lambda _: bank(0), 1, probability=1.0)(audio, lengths, torch.tensor([1, 2])) - audio
    assert torch.allclose(short[:, 700:1400], short[:, :700], atol=1e-6)
    ramp = np.arange(50_000, dtype=np.float32)
    clips, sizes = waves(*[2000] * 300)
    long = MixNoise(lambda _: ramp, 1, probability=1.0)(clips, sizes, MANY[:300]) - clips
    step = (long[:, -1] - long[:, 0]) / 1999
    places = long.mean(1) / step - 999.5
    assert torch.allclose(long, step[:, None] * (places[:, None] + torch.arange(2000)), atol=1e-4)
    assert 0 <= places.min() + 5 < 1000
    assert 47_000 < places.max() < 48_005


def test_half_of_the_clips_get_noise_and_every_recording_is_used() -> None:
    audio, lengths = waves(*[50] * 600)
    asked: list[int] = []

    def counted(number: int) -> npt.NDArray[Any]:
        asked.append(number)
        return np.full(10, 0.1, np.float32)

    mixed = MixNoise(counted, 5)(audio, lengths, torch.arange(600))
    assert (mixed != audio).any(1).float().mean() == pytest.approx(0.5, abs=0.07)
    assert set(asked) == set(range(5))
    assert len(asked) == (mixed != audio).any(1).sum()


def test_silence_gets_no_noise_and_silent_noise_changes_nothing() -> None:
    audio, lengths = waves(500, 500)
    assert torch.equal(MixNoise(bank, 1, 1.0)(audio * 0, lengths, MANY[:2]), audio * 0)
    assert torch.equal(MixNoise(lambda _: bank(2), 1, 1.0)(audio, lengths, MANY[:2]), audio)


def test_an_empty_recording_is_refused_by_number() -> None:
    with pytest.raises(StewError, match="Noise recording 0 is empty"):
        MixNoise(lambda _: np.empty(0, np.float32), 1, 1.0)(*waves(100), MANY[:1])


@pytest.mark.parametrize("step", [Gain(), BetaGain(), Roll(), MixNoise(bank, 3), MixNoise(bank, 3, 1.0)])
def test_audio_is_changed_the_same_way_alone_and_in_any_batch(step: Any) -> None:
    audio, lengths = waves(500, 3000, 1)
    seeds = torch.tensor([5, 6, 7])
    together = step(audio, lengths, seeds)
    assert torch.equal(together, step(audio, lengths, seeds))
    for i, length in enumerate(lengths.tolist()):
        alone = step(audio[i : i + 1, :length], lengths[i : i + 1], seeds[i : i + 1])
        assert torch.allclose(alone[0], together[i, :length], atol=1e-6)


def test_gains_cover_their_range() -> None:
    ones, lengths = torch.ones(4000, 1), torch.ones(4000).long()
    decibels = 20 * torch.log10(Gain(-3, 9)(ones, lengths, MANY))
    assert -3 <= decibels.min() < -2.9
    assert 8.9 < decibels.max() <= 9
    factors = BetaGain()(ones, lengths, MANY)
    assert 0.5 < factors.min() < factors.max() < 1.5
    assert factors.mean() == pytest.approx(1, abs=0.01)
    assert factors.std() == pytest.approx((1 / 84) ** 0.5, rel=0.05)  # of beta(10, 10)


def test_a_roll_turns_each_clip_within_its_own_length() -> None:
    audio, lengths = waves(500, 40, 1)
    for seed in range(5):
        rolled = Roll()(audio, lengths, torch.full((3,), seed))
        for before, after, length in zip(audio, rolled, lengths.tolist(), strict=True):
            shift = int((after[:length] == before[0]).nonzero()[0])
            assert torch.equal(after[:length], before[:length].roll(shift))
            assert torch.equal(after[length:], before[length:])
    assert not torch.equal(rolled[0], audio[0])


def test_a_crop_is_a_part_of_its_clip_from_any_place() -> None:
    audio, lengths = torch.arange(100.0).repeat(4000, 1), torch.full((4000,), 100)
    lengths[0] = 30
    cropped, kept = Crop(40)(audio, lengths, MANY)
    assert cropped.shape == (4000, 40)
    assert kept.tolist() == [30] + [40] * 3999
    assert torch.equal(cropped, cropped[:, :1] + torch.arange(40))
    assert cropped[0, 0] == 0
    assert torch.unique(cropped[:, 0]).tolist() == list(range(61))
    same, all_kept = Crop(200)(audio, lengths, MANY)
    assert torch.equal(same, audio)
    assert torch.equal(all_kept, lengths)


def test_steps_follow_each_other_and_draw_for_themselves() -> None:
    audio, lengths = waves(100, 60)
    seeds = torch.tensor([1, 2])
    gain = Gain(-20, 20)
    twice = Augmentation(waves=(gain, gain)).audio(audio, lengths, seeds)
    by_hand = gain(gain(audio, lengths, split(seeds, 0)), lengths, split(seeds, 1))
    assert torch.equal(twice, by_hand)
    assert not torch.allclose(gain(audio, lengths, split(seeds, 0)), gain(audio, lengths, split(seeds, 1)))
    features, frames = mels(200, 100)
    masked = Augmentation(spectra=(MASKS,)).features(features, frames, seeds)
    assert not torch.equal(masked, features)
    assert torch.equal(Augmentation().features(features, frames, seeds), features)
    assert torch.equal(Augmentation().audio(audio, lengths, seeds), audio)
