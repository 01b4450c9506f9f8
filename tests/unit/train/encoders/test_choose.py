"""Encoders by name."""

from pathlib import Path

import pytest
import torch
import transformers

from captionstew.errors import StewError
from captionstew.train.encoders.choose import PRESETS, encoder
from captionstew.train.encoders.pretrained import Pretrained
from captionstew.train.encoders.vit import ViT, ViTConfig
from captionstew.train.encoders.zipformer.model import Zipformer


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_the_model_that_it_names(name: str) -> None:
    with torch.device("meta"):  # shapes alone
        made = encoder(name)
    assert isinstance(made, ViT if name.startswith("vit") else Zipformer)
    sizes = {
        "zipformer-m": 63_994_103, "zipformer-small": 21_989_779, "zipformer-large": 146_625_594,
        "zipformer-auden-m": 65_913_719, "zipformer-auden-large": 152_675_514, "vit-b": 85_254_144,
    }  # fmt: skip
    num_parameters = sum(p.numel() for p in made.parameters())
    assert num_parameters == sizes.get(name, num_parameters)
    assert num_parameters < 2_000_000 or name in sizes


def test_a_model_of_transformers_by_folder_and_layer(tmp_path: Path) -> None:
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, conv_dim=(8, 8),
        conv_kernel=(10, 3), conv_stride=(20, 16), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.Wav2Vec2Model(config).save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(tmp_path)
    layers = {}
    for word in ("", "@1", "@all"):
        made = encoder(f"pretrained:{tmp_path}{word}")
        assert isinstance(made, Pretrained)
        layers[word] = made.config.layer
    assert layers == {"": -1, "@1": 1, "@all": None}
    with pytest.raises(StewError, match="no layer 'last'"):
        encoder(f"pretrained:{tmp_path}@last")
    with pytest.raises(StewError, match="write pretrained:"):
        encoder(str(tmp_path))


def test_a_zipformer_by_its_file_or_its_folder(tmp_path: Path) -> None:
    made = encoder("zipformer-tiny")
    assert isinstance(made, Zipformer)
    path = tmp_path / "exp" / "pretrained.pt"
    path.parent.mkdir()
    torch.save({"model": made.state_dict()}, path)
    for name in (path, tmp_path):
        again = encoder(str(name))
        assert isinstance(again, Zipformer)
        assert torch.equal(
            again.state_dict()["encoder_embed.out.weight"], made.state_dict()["encoder_embed.out.weight"]
        )


def test_a_checkpoint_of_a_vit_by_its_path(tmp_path: Path) -> None:
    wide = ViT(
        ViTConfig(width=128, depth=1, num_heads=2, feed_forward=64)
    )  # heads of 64 channels, as published
    torch.save({"model": wide.state_dict()}, tmp_path / "model.pth")
    made = encoder(str(tmp_path / "model.pth"))
    assert isinstance(made, ViT)
    assert made.config == wide.config
    assert torch.equal(made.norm.weight, wide.norm.weight)


def test_an_unknown_name_lists_the_choices(tmp_path: Path) -> None:
    with pytest.raises(StewError, match=r"zipformer-m, .*vit-b, .*pretrained:NAME"):
        encoder("zipformer-xxl")
    torch.save({"weight": torch.ones(1)}, tmp_path / "model.pt")
    with pytest.raises(StewError, match="neither"):
        encoder(str(tmp_path / "model.pt"))
