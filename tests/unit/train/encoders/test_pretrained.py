"""Encoders of transformers behind our interface."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from captionstew.errors import StewError
from captionstew.train.encoders.pretrained import Pretrained

Make = Callable[..., Path]

_SMALL = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 48}
_WAVE = _SMALL | {
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 3, 2), "conv_stride": (5, 8, 4),
    "layerdrop": 1.0, "num_conv_pos_embeddings": 9, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip
_NORMED = _WAVE | {"feat_extract_norm": "layer", "do_stable_layer_norm": True}
_WHISPER = {
    "d_model": 32, "encoder_layers": 3, "decoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 48,
    "decoder_attention_heads": 2, "decoder_ffn_dim": 48, "max_source_positions": 100, "num_mel_bins": 20,
    "vocab_size": 50, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
}  # fmt: skip
_AST = _SMALL | {"max_length": 208, "num_mel_bins": 64}

# Name: model, configuration, feature extractor, its settings.
KINDS: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "wav2vec2": ("Wav2Vec2", _WAVE, "Wav2Vec2", {}),
    "wav2vec2-layer-norm": ("Wav2Vec2", _NORMED, "Wav2Vec2", {"return_attention_mask": True}),
    "hubert": ("Hubert", _WAVE, "Wav2Vec2", {"do_normalize": False}),
    "wavlm": ("WavLM", _WAVE, "Wav2Vec2", {}),
    "whisper": ("Whisper", _WHISPER, "Whisper", {"feature_size": 20, "chunk_length": 2}),
    "ast": ("AST", _AST, "AST", {"num_mel_bins": 64, "max_length": 208}),
}
everyone = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each kind as `save_pretrained` leaves it."""
    torch.manual_seed(0)
    found = {}
    for name, (model, fields, extractor, settings) in KINDS.items():
        folder = found[name] = tmp_path_factory.mktemp(name)
        config = getattr(transformers, f"{model}Config")(**fields)
        made = getattr(transformers, f"{model}Model")(config)
        for parameter in made.parameters():  # biases and norms of their own
            parameter.data.add_(0.02 * torch.randn_like(parameter))
        made.save_pretrained(folder)
        getattr(transformers, f"{extractor}FeatureExtractor")(**settings).save_pretrained(folder)
    return found


CLIPS = [0.1 * torch.randn(n, generator=torch.Generator().manual_seed(n)) for n in (27_000, 16_000, 5_003)]


def _heard(encoder: Pretrained, clips: list[Tensor]) -> tuple[Tensor, Tensor]:
    audio = nn.utils.rnn.pad_sequence(
        clips, batch_first=True, padding_value=0.3
    )  # whatever lies beyond a clip
    frames: tuple[Tensor, Tensor] = encoder(
        *encoder.features(audio, torch.tensor([len(clip) for clip in clips]))
    )
    return frames


@everyone
@torch.no_grad()
def test_features_are_those_of_its_own_extractor(folders: dict[str, Path], kind: str) -> None:
    encoder = Pretrained.load(str(folders[kind]))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folders[kind])
    own = extractor([clip.numpy() for clip in CLIPS[1:2]], sampling_rate=16_000, return_tensors="pt")
    expected = own.get("input_values", own.get("input_features"))
    features, _ = encoder.features(CLIPS[1][None], torch.tensor([len(CLIPS[1])]))
    if kind == "whisper":
        features = features.transpose(1, 2)
    tolerance = 5e-3 if kind == "ast" else 1e-4  # its logarithm is of quiet bins in float32
    torch.testing.assert_close(features.reshape(expected.shape), expected, atol=tolerance, rtol=1e-4)


@everyone
@torch.no_grad()
def test_frames_are_those_of_the_model_itself(folders: dict[str, Path], kind: str) -> None:
    encoder = Pretrained.load(str(folders[kind])).eval()
    model = transformers.AutoModel.from_pretrained(folders[kind]).eval()
    features, lengths = encoder.features(CLIPS[1][None], torch.tensor([len(CLIPS[1])]))
    frames, count = encoder(features, lengths)
    if kind == "whisper":
        expected = model.encoder(features.transpose(1, 2)).last_hidden_state
    elif kind == "ast":  # 5 bands of 20 times behind two class tokens
        expected = model(features).last_hidden_state[:, 2:].view(1, 5, 20, 32).mean(1)
    else:
        expected = model(features[:, :, 0]).last_hidden_state
        assert count.tolist() == [expected.shape[1]]
    torch.testing.assert_close(frames, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("layer", [-1, None])
@everyone
@torch.no_grad()
def test_a_clips_frames_do_not_depend_on_its_batch(
    folders: dict[str, Path], kind: str, layer: int | None
) -> None:
    encoder = Pretrained.load(str(folders[kind]), layer).eval()
    assert encoder.exact
    frames, lengths = _heard(encoder, CLIPS)
    for clip, row, length in zip(CLIPS, frames, lengths.tolist(), strict=True):
        alone, count = _heard(encoder, [clip])
        assert count.tolist() == [length]
        assert abs(length - len(clip) / 16_000 * encoder.frame_rate) < 2
        torch.testing.assert_close(row[:length], alone[0, :length], atol=1e-4, rtol=1e-4)


@everyone
@torch.no_grad()
def test_a_layer_is_the_hidden_state_behind_it_and_costs_no_later_one(
    folders: dict[str, Path], kind: str
) -> None:
    whole = Pretrained.load(str(folders[kind])).eval()
    features, lengths = whole.features(CLIPS[0][None], torch.tensor([len(CLIPS[0])]))
    output = whole.model(**whole.family.inputs(features, lengths), output_hidden_states=True)
    for layer in (0, 1, 2):
        cut = Pretrained.load(str(folders[kind]), layer).eval()
        expected = whole.family.frames(output.hidden_states[layer])
        torch.testing.assert_close(cut(features, lengths)[0], expected)
        assert sum(p.numel() for p in cut.parameters()) < sum(p.numel() for p in whole.parameters())
    with pytest.raises(StewError, match="choose 0 to 3"):
        Pretrained.load(str(folders[kind]), 4)


@everyone
def test_the_mixture_of_all_layers_begins_as_their_mean_and_learns(
    folders: dict[str, Path], kind: str
) -> None:
    encoder = Pretrained.load(str(folders[kind]), None, frozen=True)
    features, lengths = encoder.features(CLIPS[0][None], torch.tensor([len(CLIPS[0])]))
    output = encoder.model(**encoder.family.inputs(features, lengths), output_hidden_states=True)
    mean = torch.stack([encoder.family.frames(state) for state in output.hidden_states]).mean(0)
    frames, _ = encoder.train()(features, lengths)
    torch.testing.assert_close(frames, mean)
    torch.autograd.backward(frames.square().mean())
    assert [name for name, p in encoder.named_parameters() if p.grad is not None] == ["mixture"]


def test_a_frozen_model_stays_in_evaluation_and_needs_no_gradient(folders: dict[str, Path]) -> None:
    frozen = Pretrained.load(str(folders["wav2vec2"]), frozen=True).train()
    assert not any(p.requires_grad for p in frozen.parameters())
    assert torch.equal(_heard(frozen, CLIPS)[0], _heard(frozen, CLIPS)[0])
    free = Pretrained.load(str(folders["wav2vec2"])).train()
    assert not torch.equal(_heard(free, CLIPS)[0], _heard(free, CLIPS)[0])  # dropout


def test_training_draws_from_torchs_generator_alone(folders: dict[str, Path]) -> None:
    encoder = Pretrained.load(str(folders["hubert"])).train()
    frames = []
    for _ in range(2):
        torch.manual_seed(0)
        frames.append(_heard(encoder, CLIPS)[0])
    assert torch.equal(*frames)


@pytest.mark.parametrize("kind", ["wav2vec2", "ast"])
def test_recomputing_layers_changes_no_gradient(folders: dict[str, Path], kind: str) -> None:
    gradients = []
    for checkpointing in (False, True):
        encoder = Pretrained.load(str(folders[kind])).train()
        encoder.set_checkpointing(checkpointing)
        torch.manual_seed(0)
        torch.autograd.backward(_heard(encoder, CLIPS)[0].square().mean())
        gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.grad is not None})
    assert len(gradients[0]) > 20
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


@pytest.mark.parametrize("kind", ["whisper", "ast"])
@torch.no_grad()
def test_clips_longer_than_the_model_hears_are_counted(folders: dict[str, Path], kind: str) -> None:
    encoder = Pretrained.load(str(folders[kind])).eval()
    frames, lengths = _heard(encoder, [torch.randn(50_000), torch.randn(16_000), torch.randn(33_600)])
    assert int(encoder.num_cut) == 2
    assert lengths.tolist()[0] == lengths.tolist()[2] == frames.shape[1]


@everyone
@torch.no_grad()
def test_even_a_click_has_a_frame(folders: dict[str, Path], kind: str) -> None:
    encoder = Pretrained.load(str(folders[kind])).eval()
    frames, lengths = _heard(encoder, [torch.randn(3), torch.randn(8_000)])
    assert lengths[0] == 1
    assert frames.isfinite().all()
    assert _heard(encoder, [torch.randn(3)])[0].isfinite().all()


def test_other_models_and_missing_ones_are_refused_with_a_remedy(tmp_path: Path) -> None:
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(StewError, match="wav2vec2, hubert"):
        Pretrained.load(str(tmp_path))
    with pytest.raises(StewError, match=r"no audio encoder.*preprocessor_config"):
        Pretrained.load(str(tmp_path / "nothing"))
    transformers.Wav2Vec2Config(add_adapter=True).save_pretrained(tmp_path)
    with pytest.raises(StewError, match="adapter"):
        Pretrained.load(str(tmp_path))
