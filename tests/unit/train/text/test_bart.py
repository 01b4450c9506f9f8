"""BART's decoder against transformers' own model."""

from pathlib import Path

import pytest
import torch
from transformers import BartConfig, BartForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from captionstew.errors import StewError
from captionstew.train.text.bart import BartDecoder


@pytest.fixture(scope="module")
def model() -> BartForConditionalGeneration:
    """A small whole BART with weights that matter."""
    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=40, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=4, encoder_ffn_dim=16, decoder_ffn_dim=32, max_position_embeddings=30, init_std=0.4,
    )  # fmt: skip
    model = BartForConditionalGeneration(config).eval()
    model.final_logits_bias.copy_(torch.randn(1, 40))
    return model


IDS = torch.tensor([[2, 0, 5, 6, 7], [2, 0, 8, 9, 10]])


def test_logits_are_those_of_the_whole_model(model: BartForConditionalGeneration) -> None:
    frames, lengths = torch.randn(2, 6, 16), torch.tensor([6, 3])
    decoder = BartDecoder(model, 16).eval()
    heard = (torch.arange(6) < lengths[:, None]).long()
    theirs = model(
        attention_mask=heard, encoder_outputs=BaseModelOutput(frames), decoder_input_ids=IDS
    ).logits
    ours = decoder.logits(decoder(IDS, frames, lengths).flatten(0, 1)).view(2, 5, 40)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def test_weights_come_from_a_folder(model: BartForConditionalGeneration, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    decoder = BartDecoder.pretrained(str(tmp_path), 12).eval()
    weight, bias = decoder.output()
    assert torch.equal(weight, model.lm_head.weight)
    assert bias is not None
    assert torch.equal(bias, model.final_logits_bias[0])
    frames, lengths = torch.randn(2, 6, 12), torch.tensor([6, 3])
    again = BartDecoder.configured(**{k: v for k, v in decoder.settings().items() if k != "kind"}).eval()
    again.load_state_dict(decoder.state_dict())
    assert torch.equal(again(IDS, frames, lengths), decoder(IDS, frames, lengths))


def test_a_model_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    with pytest.raises(StewError, match=r"cannot load the decoder .*nothing"):
        BartDecoder.pretrained(str(tmp_path / "nothing"), 16)


def test_the_defaults_are_bart_bases() -> None:
    with torch.device("meta"):
        decoder = BartDecoder.fresh(50_265, 768)
    assert sum(p.numel() for p in decoder.parameters()) == 96_103_680
