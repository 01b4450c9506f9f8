"""Every form in which a Zipformer is handed around, read back into ours."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.encoders.zipformer.checkpoint import config_from_shapes, load_zipformer
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.hub import from_pretrained, push_to_hub, save_zipformer
from captionstew.train.encoders.zipformer.model import Zipformer

CONFIG = ZipformerConfig(
    downsampling=(1, 2, 4),
    num_layers=(1, 2, 1),
    widths=(16, 24, 32),
    feed_forward=(16, 24, 36),
    num_heads=(2, 2, 4),
    kernels=(7, 9, 5),
    unmasked=(16, 24, 32),
    embed_channels=(2, 4, 6),
    position_width=16,
)
HEAD = {"classifier.1.weight": torch.zeros(527, 32), "classifier.1.bias": torch.zeros(527)}

Tensors = Mapping[str, Tensor]
FORMS: dict[str, Callable[[Tensors], Any]] = {
    "bare": lambda t: dict(t),
    "icefall export": lambda t: {"model": {**t, **HEAD}},
    "average": lambda t: {"model_avg": {name: value.double() for name, value in t.items()}},
    "state_dict": lambda t: {"state_dict": dict(t)},
    "DDP": lambda t: {"model": {f"module.{name}": value for name, value in t.items()}},
    "Auden CLAP": lambda t: {f"audio_encoder.{name}": value for name, value in t.items()},
    "Auden speech": lambda t: {f"module.speech_encoder.{name}": value for name, value in t.items()},
    "Auden tagging": lambda t: {**{f"encoder.{name}": value for name, value in t.items()}, **HEAD},
    "counter": lambda t: {**t, "model_batch_count": torch.tensor(7.0)},
}


@pytest.fixture(scope="module")
def encoder() -> Zipformer:
    torch.manual_seed(0)
    return Zipformer(CONFIG).eval()


def same(one: Zipformer, other: Zipformer) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_loads_with_the_sizes_of_its_tensors(
    form: str, encoder: Zipformer, tmp_path: Path
) -> None:
    torch.save(FORMS[form](encoder.state_dict()), tmp_path / "it.pt")
    found, loaded = load_zipformer(tmp_path / "it.pt")
    assert same(found, encoder)
    assert replace(found.config, unmasked=CONFIG.unmasked) == CONFIG
    assert not loaded.missing
    assert loaded.extra == (tuple(HEAD) if form in ("icefall export", "Auden tagging") else ())
    assert loaded.ignored == (("model_batch_count",) if form == "counter" else ())
    assert all(parameter.dtype == torch.float32 for parameter in found.parameters())


@pytest.mark.parametrize("name", ["tiny", "small", "medium", "large", "auden_medium"])
def test_published_configurations_are_read_from_shapes(name: str) -> None:
    config = getattr(ZipformerConfig, name)()
    with torch.device("meta"):
        tensors = Zipformer(config).state_dict()
    found = config_from_shapes(tensors)
    assert replace(found, unmasked=config.unmasked) == config
    if name in ("small", "medium", "auden_medium"):
        assert found.unmasked == config.unmasked


def test_mel_channels_are_read_from_shapes() -> None:
    config = replace(CONFIG, num_mels=128)
    with torch.device("meta"):
        assert config_from_shapes(Zipformer(config).state_dict()).num_mels == 128


def test_unusual_heads_need_the_configuration(encoder: Zipformer, tmp_path: Path) -> None:
    config = replace(CONFIG, query_width=8, value_width=6)
    torch.save(Zipformer(config).state_dict(), tmp_path / "it.pt")
    with pytest.raises(StewError, match="not the usual ones"):
        load_zipformer(tmp_path / "it.pt")
    assert load_zipformer(tmp_path / "it.pt", config)[0].config == config


def test_missing_and_extra_tensors_are_told(encoder: Zipformer, tmp_path: Path) -> None:
    tensors = dict(encoder.state_dict())
    del tensors["encoder.downsample_output.bias"], tensors["encoder.encoders.0.layers.0.bypass_scale"]
    tensors["decoder.weight"] = torch.zeros(2)
    tensors["encoder.encoders.0.layers.0.gate"] = torch.zeros(2)
    save_file(tensors, tmp_path / "it.safetensors")
    _, loaded = load_zipformer(tmp_path / "it.safetensors", CONFIG)
    assert loaded.missing == ("encoder.downsample_output.bias",)  # nobody misses the tensor that nobody reads
    assert set(loaded.extra) == {"decoder.weight", "encoder.encoders.0.layers.0.gate"}


class Sampler:
    """What icefall's training checkpoints pickle beside the model."""


def test_a_pickle_needs_permission(encoder: Zipformer, tmp_path: Path) -> None:
    torch.save({"model": encoder.state_dict(), "sampler": Sampler()}, tmp_path / "it.pt")
    with pytest.raises(StewError, match="more than tensors") as raised:
        load_zipformer(tmp_path / "it.pt")
    assert "can run any code" in raised.value.hint
    assert same(load_zipformer(tmp_path / "it.pt", allow_pickle=True)[0], encoder)


def test_a_file_without_a_zipformer_is_refused(tmp_path: Path) -> None:
    torch.save({"blocks.0.norm1.weight": torch.zeros(2)}, tmp_path / "it.pt")
    with pytest.raises(StewError, match="no Zipformer"):
        load_zipformer(tmp_path / "it.pt")


def test_of_several_encoders_one_is_to_be_named(encoder: Zipformer, tmp_path: Path) -> None:
    other = {f"speech_encoder.{name}": value + 1 for name, value in encoder.state_dict().items()}
    both = other | {f"audio_encoder.{name}": value for name, value in encoder.state_dict().items()}
    torch.save(both, tmp_path / "it.pt")
    with pytest.raises(StewError, match="several"):
        load_zipformer(tmp_path / "it.pt")
    assert same(load_zipformer(tmp_path / "it.pt", within="audio_encoder.")[0], encoder)


def test_a_saved_folder_comes_back(encoder: Zipformer, tmp_path: Path) -> None:
    unusual = Zipformer(replace(CONFIG, query_width=8, unmasked=(8, 8, 8)), padding="icefall")
    found, loaded = from_pretrained(save_zipformer(unusual, tmp_path))
    assert same(found, unusual)
    assert (found.config, found.padding) == (unusual.config, "icefall")
    assert not loaded.missing + loaded.extra
    assert from_pretrained(tmp_path, padding="exact")[0].padding == "exact"


def test_icefalls_and_audens_folders_load(encoder: Zipformer, tmp_path: Path) -> None:
    (tmp_path / "exp").mkdir()
    torch.save({"model": {**encoder.state_dict(), **HEAD}}, tmp_path / "exp" / "pretrained.pt")
    torch.save({}, tmp_path / "exp" / "other.pt")
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "zipformer", "encoder_dim": [16, 24, 32]})
    )
    found, loaded = from_pretrained(tmp_path)
    assert same(found, encoder)
    assert loaded.extra == tuple(HEAD)


def test_a_folder_with_several_unknown_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        torch.save({}, tmp_path / name)
    with pytest.raises(StewError, match="which file") as raised:
        from_pretrained(tmp_path)
    assert raised.value.cause == "it holds a.pt, b.pt"


def test_a_name_that_is_neither_folder_nor_repository_is_refused() -> None:
    with pytest.raises(StewError, match="there is no"):
        from_pretrained("../no/such/folder")


def test_pushing_to_a_name_that_cannot_be_is_refused_before_anything_is_sent(encoder: Zipformer) -> None:
    with pytest.raises(StewError, match="no repository"):
        push_to_hub(encoder, "not a name")
