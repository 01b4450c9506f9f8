import json
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from captionstew.errors import StewError
from captionstew.train.objectives.objective import Text
from captionstew.train.text.tower import TextTower

IDS = torch.tensor([[2, 11, 12, 13, 14, 3], [2, 15, 3, 0, 0, 0]])
TEXT = Text(IDS, torch.tensor([6, 3]), ("long", "short"))


@pytest.fixture(scope="module")
def tower() -> TextTower:
    torch.manual_seed(0)
    return TextTower.scratch(30, width=16, layers=2, heads=2, max_length=32).eval()


def test_a_tower_gives_a_vector_per_token_and_a_mask(tower: TextTower) -> None:
    hidden, mask = tower(TEXT)
    assert hidden.shape == (2, 6, tower.width)
    assert torch.equal(mask, TEXT.mask_BL())


def test_a_text_means_the_same_in_a_batch_as_alone(tower: TextTower) -> None:
    hidden, _ = tower(TEXT)
    alone, _ = tower(Text(IDS[1:, :3], torch.tensor([3]), ("short",)))
    torch.testing.assert_close(hidden[1, :3], alone[0])


def test_the_ready_mask_does_what_transformers_own_does(tower: TextTower) -> None:
    theirs = tower.model(input_ids=IDS, attention_mask=TEXT.mask_BL().long()).last_hidden_state
    torch.testing.assert_close(tower(TEXT)[0][TEXT.mask_BL()], theirs[TEXT.mask_BL()])


def test_every_weight_takes_a_gradient(tower: TextTower) -> None:
    tower(TEXT)[0].square().sum().backward()
    assert [name for name, p in tower.named_parameters() if p.grad is None] == []


def test_settings_build_the_same_tower_without_its_weights(tower: TextTower) -> None:
    again = TextTower(**json.loads(json.dumps(tower.settings()))).eval()
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again(TEXT)[0], tower(TEXT)[0])
    assert again.settings() == tower.settings()


@pytest.mark.parametrize(
    ("kind", "width"),
    [("roberta", "hidden_size"), ("distilbert", "dim"), ("t5", "d_model"), ("gpt2", "n_embd")],
)
def test_any_text_model_of_transformers_is_a_tower(kind: str, width: str, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModel

    few = {"num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 30, "pad_token_id": 0}
    theirs = AutoModel.from_config(AutoConfig.for_model(kind, **{width: 16}, **few)).eval()
    theirs.save_pretrained(tmp_path)
    tower = TextTower(tmp_path).eval()
    reader = theirs.get_encoder() if theirs.config.is_encoder_decoder else theirs
    expected = reader(input_ids=IDS, attention_mask=TEXT.mask_BL().long()).last_hidden_state
    hidden, mask = tower(TEXT)
    assert tower.width == 16
    torch.testing.assert_close(hidden[mask], expected[mask])
    hidden.square().sum().backward()
    assert [name for name, p in tower.named_parameters() if p.grad is None] == []
    again = TextTower(**json.loads(json.dumps(tower.settings()))).eval()
    again.load_state_dict(tower.state_dict())
    assert torch.equal(again(TEXT)[0], hidden)


def test_the_default_shape_is_bert_base() -> None:
    with torch.device("meta"):
        tower = TextTower.scratch(30522)
    assert sum(p.numel() for p in tower.parameters()) == 109_482_240 - 768 * 769  # without BERT's pooler
    assert (tower.width, tower.max_length, tower.vocab_size) == (768, 512, 30522)


def test_an_unknown_name_without_network_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(StewError, match="nobody/nothing") as error:
        TextTower("nobody/nothing")
    assert "scratch" in error.value.hint


def test_a_configuration_of_no_model_is_refused() -> None:
    with pytest.raises(StewError, match="configuration"):
        TextTower({"model_type": "nothing"})
