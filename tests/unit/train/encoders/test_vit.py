"""The ViT in AudioMAE's layout."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from captionstew.errors import StewError
from captionstew.train.encoders.vit import ViT, ViTConfig, load_vit
from captionstew.train.encoders.vit_layers import positions
from captionstew.train.mask import GroupMasking, RandomMasking

Samples = npt.NDArray[np.float32]


@pytest.fixture
def model() -> ViT:
    """A small one with weights of its own, not those of its first step."""
    torch.manual_seed(0)
    return ViT(ViTConfig.tiny()).eval()


@pytest.fixture(scope="module")
def clips(melody: Callable[..., Samples]) -> list[Tensor]:
    """Sounds of 3.1, 1.7 and 0.6 seconds."""
    return [torch.from_numpy(melody(seed, seconds)) for seed, seconds in enumerate((3.1, 1.7, 0.6))]


def _padded(clips: list[Tensor]) -> tuple[Tensor, Tensor]:
    audio = nn.utils.rnn.pad_sequence(
        clips, batch_first=True, padding_value=0.3
    )  # whatever lies beyond a clip
    return audio, torch.tensor([len(clip) for clip in clips])


def test_base_has_85_3_million_parameters_under_the_names_of_audiomae() -> None:
    with torch.device("meta"):
        model = ViT()
    assert sum(p.numel() for p in model.parameters()) == 85_254_144
    layers = "norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"
    blocks = [f"blocks.{i}.{layer}" for i in range(12) for layer in layers]
    both = [f"{name}.{kind}" for name in ["patch_embed.proj", *blocks, "norm"] for kind in ("weight", "bias")]
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert sorted(shapes) == sorted(["cls_token", "pos_embed", *both])
    assert shapes["pos_embed"] == (1, 513, 768)
    assert shapes["patch_embed.proj.weight"] == (768, 1, 16, 16)
    assert shapes["blocks.0.attn.qkv.weight"] == (2304, 768)


def test_positions_are_sines_of_the_band_then_of_the_time() -> None:
    table = positions(num_times=5, num_bands=3, width=16)
    assert not table[0].any()  # the class token's
    time, band = 4, 2
    for half, place in ((0, band), (8, time)):
        for i in range(4):
            angle = place / 10_000 ** (i / 4)
            row = table[1 + time * 3 + band]
            assert row[half + i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert row[half + 4 + i].item() == pytest.approx(math.cos(angle), abs=1e-6)


def _twin(model: ViT, features_TF: Tensor) -> Tensor:
    """One item's tokens, patch by patch and with torch's own transformer layer."""
    state, config = model.state_dict(), model.config
    kernel = state["patch_embed.proj.weight"].flatten(1)
    tokens = [
        kernel @ features_TF[t : t + 16, f : f + 16].flatten() + state["patch_embed.proj.bias"]
        for t in range(0, len(features_TF), 16)
        for f in range(0, 128, 16)
    ]
    x = torch.cat([state["cls_token"][0], torch.stack(tokens)]) + state["pos_embed"][0, : 1 + len(tokens)]
    for i in range(config.depth):
        layer = nn.TransformerEncoderLayer(
            config.width, config.num_heads, config.feed_forward, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True
        ).eval()  # fmt: skip
        names = {
            "self_attn.in_proj_": "attn.qkv.", "self_attn.out_proj.": "attn.proj.", "linear1.": "mlp.fc1.",
            "linear2.": "mlp.fc2.", "norm1.": "norm1.", "norm2.": "norm2.",
        }  # fmt: skip
        kinds = ("weight", "bias")
        layer.load_state_dict({a + k: state[f"blocks.{i}.{b}{k}"] for a, b in names.items() for k in kinds})
        x = layer(x[None])[0]
    normed: Tensor = nn.functional.layer_norm(x, x.shape[-1:], state["norm.weight"], state["norm.bias"], 1e-6)
    return normed[1:]


@torch.no_grad()
def test_it_computes_what_torchs_own_transformer_does(model: ViT) -> None:
    for p in model.parameters():
        p.add_(0.05 * torch.randn_like(p))
    features = torch.randn(1, 80, 128)
    expected = _twin(model, features[0])
    frames, lengths = model(features, torch.tensor([80]))
    assert lengths.tolist() == [5]
    torch.testing.assert_close(frames[0], expected.view(5, 8, -1).mean(1), atol=1e-5, rtol=1e-5)
    model.config = ViTConfig(**{**vars(model.config), "tokens": True})
    tokens, lengths = model(features, torch.tensor([80]))
    assert lengths.tolist() == [40]
    torch.testing.assert_close(tokens[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tokens", [False, True])
@torch.no_grad()
def test_a_clips_frames_do_not_depend_on_its_batch(clips: list[Tensor], tokens: bool) -> None:
    torch.manual_seed(0)
    model = ViT(ViTConfig(**{**vars(ViTConfig.tiny()), "tokens": tokens})).eval()
    frames, lengths = model(*model.features(*_padded(clips)))
    for clip, row, length in zip(clips, frames, lengths.tolist(), strict=True):
        alone, count = model(*model.features(*_padded([clip])))
        assert count.tolist() == [length]
        torch.testing.assert_close(row[:length], alone[0, :length], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_audiomaes_padding_gives_64_frames_whatever_the_length(clips: list[Tensor]) -> None:
    model = ViT(ViTConfig(**{**vars(ViTConfig.tiny()), "padding": "audiomae"})).eval()
    features, frames = model.features(*_padded(clips))
    assert features.shape == (3, 1024, 128)
    assert frames.tolist() == [308, 168, 58]
    assert model(features, frames)[1].tolist() == [64] * 3


@torch.no_grad()
def test_frames_are_6_25_a_second_and_cover_all_of_the_clip(model: ViT) -> None:
    assert model.frame_rate == 6.25
    features, lengths = model.features(torch.randn(2, 160_000) * 0.1, torch.tensor([160_000, 100]))
    assert features.shape == (2, 1008, 128)  # 998 frames, and what fills up the last patch
    assert lengths.tolist() == [998, 1]  # even a click has a frame
    frames, counts = model(features, lengths)
    assert frames.shape == (2, 63, 64)
    assert counts.tolist() == [63, 1]
    assert frames.isfinite().all()


@torch.no_grad()
def test_what_lies_beyond_10_24_seconds_is_cut_and_counted(model: ViT) -> None:
    lengths = torch.tensor([200_000, 164_239, 164_240, 20_000])  # the second just fits: 1024 frames
    features, frames = model.features(torch.randn(4, 200_000) * 0.1, lengths)
    assert features.shape == (4, 1024, 128)
    assert frames.tolist() == [1024, 1024, 1024, 123]
    assert int(model.num_cut) == 2


def test_masking_computes_the_kept_tokens_in_training_only(model: ViT) -> None:
    features, lengths = torch.randn(2, 160, 128), torch.tensor([160, 48])
    everything = RandomMasking(torch.Generator(), ratio=0.0)
    expected = ViT(ViTConfig(**{**vars(model.config), "tokens": True}))
    expected.load_state_dict(model.state_dict())
    tokens, counts = expected(features, lengths)
    model.train()
    kept, kept_counts = model(features, lengths, everything)
    assert kept_counts.tolist() == counts.tolist() == [80, 24]
    torch.testing.assert_close(kept[0], tokens[0])
    torch.testing.assert_close(kept[1, :24], tokens[1, :24])
    few, few_counts = model(features, lengths, GroupMasking(torch.Generator()))
    assert few.shape[1] == 8 * 6
    assert few_counts.tolist() == [8 * 6, 2 * 6]
    model.eval()
    assert model(features, lengths, everything)[0].shape[1] == 10


def test_recomputing_blocks_changes_no_gradient(model: ViT) -> None:
    features, lengths = torch.randn(2, 64, 128), torch.tensor([64, 20])
    gradients = []
    for checkpointing in (False, True):
        model.set_checkpointing(checkpointing)
        model.train().zero_grad()
        model(features, lengths)[0].square().mean().backward()
        gradients.append([p.grad for p in model.parameters()])
    for plain, again in zip(*gradients, strict=True):
        assert plain is not None
        torch.testing.assert_close(plain, again)


@torch.no_grad()
def test_it_compiles_whole_for_any_length(model: ViT) -> None:
    compiled = torch.compile(model, backend="eager", fullgraph=True, dynamic=True)
    for num_frames in (160, 48):
        features, lengths = torch.randn(2, num_frames, 128), torch.tensor([num_frames, 20])
        torch.testing.assert_close(compiled(features, lengths), model(features, lengths))


def test_features_carry_no_gradient(model: ViT) -> None:
    features, _ = model.features(torch.randn(1, 16_000, requires_grad=True), torch.tensor([16_000]))
    assert not features.requires_grad


@pytest.mark.parametrize("kind", ["pth", "safetensors", "bare"])
def test_a_checkpoint_tells_its_own_sizes_and_what_did_not_fit(model: ViT, tmp_path: Path, kind: str) -> None:
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    state |= {"decoder_embed.weight": torch.ones(2), "mask_token": torch.ones(1), "head.bias": torch.ones(3)}
    state |= {"surprise": torch.ones(1)}
    del state["norm.bias"]
    path = tmp_path / ("model.safetensors" if kind == "safetensors" else "model.pth")
    if kind == "safetensors":
        save_file(state, path)
    else:  # AudioMAE's own hold the arguments of the command
        torch.save(state if kind == "bare" else {"model": state, "args": argparse.Namespace(lr=1)}, path)
    loaded, report = load_vit(path, num_heads=2)
    assert loaded.config == model.config
    assert report.missing == ("norm.bias",)
    assert report.extra == ("surprise",)
    assert report.ignored == ("decoder_embed.weight", "head.bias", "mask_token")
    for name, value in loaded.state_dict().items():
        assert name == "norm.bias" or torch.equal(value, state[name])


class _Sampler:
    """Something that only a pickle can hold."""


def test_a_pickle_needs_a_word_of_trust(model: ViT, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save({"model": model.state_dict(), "sampler": _Sampler()}, path)
    with pytest.raises(StewError, match="more than tensors"):
        load_vit(path, num_heads=2)
    assert load_vit(path, num_heads=2, allow_pickle=True)[1].missing == ()


def test_another_model_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    save_file({"encoder.weight": torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(StewError, match=r"no ViT.*patch_embed\.proj\.weight"):
        load_vit(tmp_path / "model.safetensors")
    with pytest.raises(StewError, match="no checkpoint at"):
        load_vit(tmp_path / "other.safetensors")
