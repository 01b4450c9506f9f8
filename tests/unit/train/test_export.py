"""Exported models come back as they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoFeatureExtractor, AutoModel

from captionstew.cli.main import main
from captionstew.errors import StewError
from captionstew.train import auto, checkpoint
from captionstew.train.blueprint import save_blueprint
from captionstew.train.encoders.choose import encoder as chosen
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.vit import ViT, ViTConfig
from captionstew.train.encoders.zipformer.model import Zipformer
from captionstew.train.export import export, export_run
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.hybrid import Hybrid
from captionstew.train.objectives.objective import Objective
from captionstew.train.text.tokens import Tokens, train_tokens
from captionstew.train.text.tower import TextTower

CAPTIONS = ["a dog barks at a passing car", "rain falls on a tin roof", "a choir sings in a large hall"]
WAVES, LENGTHS = (
    torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0)) * 0.1,
    torch.tensor([16_000, 9_000]),
)


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """A tokenizer in BERT's way."""
    return Tokens(train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens") / "wordpiece", 200), 20)


@pytest.fixture(scope="module")
def bpe(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """A tokenizer in BART's way."""
    return Tokens(train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens") / "bpe", 300, "bpe"), 20)


def _contrastive(encoder: Encoder, tokens: Tokens) -> Contrastive:
    return Contrastive(
        encoder.width, TextTower.scratch(tokens.size, 32, 1, 2, max_length=20), tokens, embedding=24
    )


def _captioning(encoder: Encoder, tokens: Tokens) -> Captioning:
    return Captioning.auden(tokens, encoder.width, width=32, num_layers=1, num_heads=2, feed_forward=48)


def _model(folder: Path) -> auto.CaptionStewModel:
    model = AutoModel.from_pretrained(folder)
    assert isinstance(model, auto.CaptionStewModel)
    assert not model.training
    return model


@torch.no_grad()
def _frames(encoder: Encoder) -> tuple[Tensor, Tensor]:
    frames: tuple[Tensor, Tensor] = encoder.eval()(*encoder.features(WAVES, LENGTHS))
    return frames


def _vit() -> Encoder:
    return ViT(ViTConfig.tiny())


def _zipformer() -> Encoder:
    encoder = chosen("zipformer-tiny")
    assert isinstance(encoder, Zipformer)
    encoder.padding = "icefall"
    return encoder


def _pretrained() -> Encoder:
    from transformers import HubertConfig, Wav2Vec2FeatureExtractor

    from captionstew.train.encoders.pretrained import Pretrained, PretrainedConfig

    small = HubertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, conv_dim=(8, 8),
        conv_kernel=(10, 3), conv_stride=(20, 16), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    front = Wav2Vec2FeatureExtractor().to_dict()
    return Pretrained(PretrainedConfig("tiny", None, False, small.to_dict(), front))


@pytest.mark.parametrize("make", [_vit, _zipformer, _pretrained])
@torch.no_grad()
def test_an_encoder_alone_gives_the_same_frames_and_their_mean(make: type[Encoder], tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = make()
    frames, lengths = _frames(encoder)
    folder = export(encoder, tmp_path / "out")
    output = _model(folder)(WAVES, lengths=LENGTHS)
    assert torch.equal(output.last_hidden_state, frames)
    assert torch.equal(output.lengths, lengths)
    torch.testing.assert_close(output.pooler_output[1], frames[1, : lengths[1]].mean(0))
    again, _ = _frames(chosen(str(folder)))
    assert torch.equal(again, frames)


@torch.no_grad()
def test_a_contrastive_model_gives_the_same_vectors_of_both_sides(wordpiece: Tokens, tmp_path: Path) -> None:
    encoder = _vit()
    objective = _contrastive(encoder, wordpiece).eval()
    model = _model(export(encoder, tmp_path / "out", objective))
    expected = objective.embed_audio(*_frames(encoder))
    assert torch.equal(model(WAVES, lengths=LENGTHS).pooler_output, expected)
    assert torch.equal(model.get_text_features(CAPTIONS), objective.embed_text(objective.tokenize(CAPTIONS)))
    with pytest.raises(StewError, match="without a caption decoder"):
        model.caption(WAVES)


@torch.no_grad()
def test_both_objectives_come_back_each_with_its_tokenizer(
    wordpiece: Tokens, bpe: Tokens, tmp_path: Path
) -> None:
    encoder = _vit()
    pair = Hybrid(_contrastive(encoder, wordpiece), _captioning(encoder, bpe), captioning_weight=2.0).eval()
    model = _model(export(encoder, tmp_path / "out", pair))
    expected = pair.captioning.caption(*encoder.eval()(*encoder.features(WAVES, torch.tensor([16_000] * 2))))
    assert model.caption(WAVES) == expected
    features = pair.contrastive.embed_text(pair.contrastive.tokenize(CAPTIONS))
    assert torch.equal(model.get_text_features(CAPTIONS), features)
    assert isinstance(model.objective, Hybrid)
    assert model.objective.captioning_weight == 2.0
    mask = (torch.arange(16_000) < LENGTHS[:, None]).long()
    assert torch.equal(model.get_audio_features(WAVES, mask), model(WAVES, lengths=LENGTHS).pooler_output)


@torch.no_grad()
def test_transformers_feature_extractor_pads_waves_for_it(tmp_path: Path) -> None:
    encoder = _vit()
    folder = export(encoder, tmp_path / "out")
    extractor = AutoFeatureExtractor.from_pretrained(folder)
    waves = [WAVES[0].numpy(), WAVES[1, :9_000].numpy()]
    inputs = extractor(waves, sampling_rate=16_000, padding=True, return_tensors="pt")
    frames, lengths = _frames(encoder)
    output = _model(folder)(**inputs)
    assert torch.equal(output.lengths, lengths)
    torch.testing.assert_close(output.last_hidden_state[1, : lengths[1]], frames[1, : lengths[1]])


def _run(folder: Path, encoder: Encoder, objective: Objective) -> None:
    """What a run leaves in its folder, of which two checkpoints."""
    weights = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    weights |= {f"objective.{k}": v for k, v in objective.state_dict().items()}
    (folder / "run.json").write_text(json.dumps({"run": {"name": "tiny", "about": "A test."}}))
    save_blueprint(folder / "model", encoder, objective)
    average = {name: value * 2 if value.is_floating_point() else value for name, value in weights.items()}
    for step, factor in ((5, 3), (10, 1)):
        now = {name: value * factor for name, value in weights.items()}
        checkpoint.save(folder / "checkpoints", checkpoint.Checkpoint(step, now, {}, {}, average), keep=2)


def test_a_run_is_exported_at_its_newest_checkpoint_averaged_or_not(
    wordpiece: Tokens, tmp_path: Path
) -> None:
    encoder = _vit()
    _run(tmp_path, encoder, _contrastive(encoder, wordpiece))
    plain = _model(export_run(tmp_path, tmp_path / "plain", averaged=False))
    assert torch.equal(plain.state_dict()["encoder.norm.weight"], encoder.state_dict()["norm.weight"])
    averaged = _model(export_run(tmp_path, tmp_path / "averaged"))
    assert torch.equal(averaged.state_dict()["encoder.norm.weight"], 2 * encoder.state_dict()["norm.weight"])
    assert averaged.get_text_features(CAPTIONS).shape == (3, 24)
    alone = _model(export_run(tmp_path, tmp_path / "alone", encoder_alone=True))
    assert alone.objective is None
    assert "Run `tiny` after 10 steps. A test." in (tmp_path / "plain" / "README.md").read_text()


def test_a_run_without_checkpoint_and_a_full_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StewError, match="no run"):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "run.json").write_text('{"run": {}}')
    with pytest.raises(StewError, match="no checkpoint yet"):
        export_run(tmp_path, tmp_path / "out")
    with pytest.raises(StewError, match="not empty"):
        export(_vit(), tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that takes no files, whoever asks")
def test_an_export_that_cannot_be_written_is_said(
    wordpiece: Tokens, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = _vit()
    _run(tmp_path, encoder, _contrastive(encoder, wordpiece))
    assert main(["export", str(tmp_path), "--out", "/proc/new"]) == 1
    assert "choose another with --out" in capfd.readouterr().err


def test_a_damaged_run_is_said_and_leaves_nothing_behind(wordpiece: Tokens, tmp_path: Path) -> None:
    encoder = _vit()
    _run(tmp_path, encoder, _contrastive(encoder, wordpiece))
    weights = checkpoint.saved(tmp_path / "checkpoints")[-1] / checkpoint.AVERAGE
    weights.write_bytes(weights.read_bytes()[:30])
    with pytest.raises(StewError, match=f"{checkpoint.AVERAGE} is damaged"):
        export_run(tmp_path, tmp_path / "out")
    (tmp_path / "run.json").write_text('{"run": ')
    with pytest.raises(StewError, match=r"run\.json is damaged"):
        export_run(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow  # a process that imports everything anew
def test_the_cards_own_lines_run(wordpiece: Tokens, tmp_path: Path) -> None:
    encoder = _vit()
    export(encoder, tmp_path / "tiny-model", _contrastive(encoder, wordpiece))
    card = (tmp_path / "tiny-model" / "README.md").read_text()
    code = card.split("```python\n")[1].split("```")[0] + "print(tuple(vectors.shape), tuple(texts.shape))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(2, 24) (2, 24)", done.stderr
