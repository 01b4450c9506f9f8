"""Both losses over the same frames."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.hybrid import Hybrid, PairedText
from captionstew.train.text.tokens import Tokens, train_tokens
from captionstew.train.text.tower import TextTower

CAPTIONS = ["a dog barks at night", "rain", "a man speaks while a car passes by"]


@pytest.fixture(scope="module")
def hybrid(tmp_path_factory: pytest.TempPathFactory) -> Hybrid:
    """A small one with two tokenizers, of which the first cuts the longest caption."""
    torch.manual_seed(0)
    folder: Path = tmp_path_factory.mktemp("tokens")
    words = Tokens(train_tokens(CAPTIONS, folder / "words", 80), max_length=9)
    letters = Tokens(train_tokens(CAPTIONS, folder / "letters", 280, "bpe"), max_length=40)
    tower = TextTower.scratch(words.size, width=16, layers=1, heads=2, max_length=9, dropout=0.0)
    captioning = Captioning.auden(letters, 8, width=16, num_layers=1, num_heads=2, dropout=0.0)
    return Hybrid(Contrastive(8, tower, words, embedding=8), captioning, 1.0, 0.5)


def _clips() -> tuple[Tensor, Tensor]:
    return torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(1)), torch.tensor([6, 3, 4])


def test_each_objective_gets_its_own_tokens_on_every_device(hybrid: Hybrid) -> None:
    text = hybrid.tokenize(CAPTIONS).to(torch.device("cpu"))
    assert isinstance(text, PairedText)
    assert torch.equal(text.contrastive.ids_BL, hybrid.contrastive.tokenize(CAPTIONS).ids_BL)
    assert torch.equal(text.captioning.ids_BL, hybrid.captioning.tokenize(CAPTIONS).ids_BL)
    assert text.contrastive.ids_BL.shape != text.captioning.ids_BL.shape
    assert (text.contrastive.num_truncated, text.captioning.num_truncated) == (1, 0)
    assert text.to(torch.device("meta")).contrastive.ids_BL.device.type == "meta"
    assert text.captions == tuple(CAPTIONS)


def test_the_total_is_the_weighted_sum_and_the_parts_keep_their_names(hybrid: Hybrid) -> None:
    text = hybrid.tokenize(CAPTIONS)
    state = hybrid.captioning.chance.state()
    loss = hybrid(*_clips(), text)
    hybrid.captioning.chance.restore(state)
    contrastive = hybrid.contrastive(*_clips(), text.contrastive)
    captioning = hybrid.captioning(*_clips(), text.captioning)
    torch.testing.assert_close(loss.total, contrastive.total + 0.5 * captioning.total)
    assert loss.parts["contrastive/loss"] == contrastive.parts["loss"]
    assert loss.parts["captioning/loss_parallel"] == captioning.parts["loss_parallel"]
    assert len(loss.parts) == len(contrastive.parts) + len(captioning.parts)
    assert loss.weight == 3


def test_one_pass_of_the_encoder_learns_from_both(hybrid: Hybrid) -> None:
    frames_BTD, lengths_B = _clips()
    text = hybrid.tokenize(CAPTIONS)
    frames_BTD.requires_grad_()
    parts = (hybrid.contrastive_weight, hybrid.captioning_weight)
    gradients = []
    for weights in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        hybrid.contrastive_weight, hybrid.captioning_weight = weights
        hybrid.captioning.chance.reseed(3)
        (found,) = torch.autograd.grad(hybrid(frames_BTD, lengths_B, text).total, frames_BTD)
        gradients.append(found)
    hybrid.contrastive_weight, hybrid.captioning_weight = parts
    assert gradients[0].any()
    assert gradients[1].any()
    torch.testing.assert_close(gradients[0] + gradients[1], gradients[2], atol=1e-6, rtol=1e-4)


def test_both_losses_fall(hybrid: Hybrid) -> None:
    text = hybrid.tokenize(CAPTIONS)
    mover = torch.optim.Adam(hybrid.parameters(), 5e-3)
    losses = []
    for _ in range(40):
        loss = hybrid(*_clips(), text)
        mover.zero_grad()
        loss.total.backward()
        mover.step()
        hybrid.after_step()
        losses.append(loss.parts)
    for name in ("contrastive/loss", "captioning/loss"):
        assert losses[-1][name] < 0.7 * losses[0][name], name


def test_settings_rebuild_it(hybrid: Hybrid) -> None:
    settings = json.loads(json.dumps(hybrid.settings()))
    pair = Contrastive(**settings.pop("contrastive")), Captioning(**settings.pop("captioning"))
    again = Hybrid(*pair, **settings)
    again.load_state_dict(hybrid.state_dict())
    again.eval()
    was_training = hybrid.training
    text = hybrid.tokenize(CAPTIONS)
    assert torch.equal(again(*_clips(), text).total, hybrid.eval()(*_clips(), text).total)
    hybrid.train(was_training)
