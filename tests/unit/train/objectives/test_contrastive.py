import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.text.tokens import Tokens, train_tokens
from captionstew.train.text.tower import TextTower

CAPTIONS = [
    "a dog barks", "rain falls on a roof", "a dog barks", "birds sing while a man talks about birds and rain",
    "a man talks", "a car passes",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return Tokens(train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens"), 80), max_length=12)


def made(tokens: Tokens, **settings: Any) -> Contrastive:
    torch.manual_seed(5)
    tower = TextTower.scratch(tokens.size, width=16, layers=1, heads=2, max_length=12, dropout=0.0)
    return Contrastive(8, tower, tokens, **({"embedding": 8} | settings))


def frames(count: int = len(CAPTIONS)) -> tuple[Tensor, Tensor]:
    frames_BTD = torch.randn(count, 5, 8, generator=torch.Generator().manual_seed(6))
    return frames_BTD, torch.arange(count) % 5 + 1


def test_parts_tell_what_became_of_the_batch(tokens: Tokens) -> None:
    objective = made(tokens)
    loss = objective(*frames(), objective.tokenize(CAPTIONS))
    parts = {name: value.item() for name, value in loss.parts.items()}
    assert not any(value.requires_grad for value in loss.parts.values())
    assert parts["loss"] == pytest.approx(loss.total.item())
    assert parts["temperature"] == pytest.approx(0.07)
    assert parts["chance"] == pytest.approx(math.log(6))
    assert (parts["distinct"], parts["duplicates"], parts["truncated"], loss.weight) == (5, 1, 1, 6)
    assert 0 <= parts["audio_to_text"] <= 1
    assert 0 <= parts["text_to_audio"] <= 1


@pytest.mark.parametrize("settings", [
    {}, {"loss": "siglip"}, {"pooling": "attention", "text_pooling": "mean", "projection": "linear"},
    {"duplicates": "mask", "norm_weight": 1.0},
])  # fmt: skip
def test_every_parameter_learns_and_the_pairs_are_found(tokens: Tokens, settings: dict[str, Any]) -> None:
    objective = made(tokens, **settings)
    optimiser = torch.optim.Adam(objective.parameters(), 0.01)
    text = objective.tokenize(CAPTIONS)
    for step in range(60):
        optimiser.zero_grad()
        loss = objective(*frames(), text)
        loss.total.backward()
        if step == 0:
            assert [name for name, p in objective.named_parameters() if p.grad is None] == []
        optimiser.step()
        objective.after_step()
    assert loss.parts["loss"] < loss.parts["chance"] / 2
    assert loss.parts["audio_to_text"] > 0.6


def test_vectors_are_units_that_do_not_depend_on_the_batch(tokens: Tokens) -> None:
    objective = made(tokens).eval()
    frames_BTD, lengths_B = frames()
    audio, text = (
        objective.embed_audio(frames_BTD, lengths_B),
        objective.embed_text(objective.tokenize(CAPTIONS)),
    )
    torch.testing.assert_close(audio.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(text.norm(dim=1), torch.ones(6))
    for row, (length, caption) in enumerate(zip(lengths_B.tolist(), CAPTIONS, strict=True)):
        alone = objective.embed_audio(frames_BTD[row : row + 1, :length], lengths_B[row : row + 1])
        torch.testing.assert_close(alone[0], audio[row])
        torch.testing.assert_close(objective.embed_text(objective.tokenize([caption]))[0], text[row])


def test_audio_is_projected_before_it_is_pooled(tokens: Tokens) -> None:
    objective = made(tokens, projection="mlp")
    frames_BTD, lengths_B = frames()
    each = objective.audio_projection(frames_BTD[3, : lengths_B[3]]).mean(0)
    torch.testing.assert_close(objective.embed_audio(frames_BTD, lengths_B)[3], each / each.norm())


def test_the_same_caption_or_clip_is_no_wrong_answer(tokens: Tokens) -> None:
    text = made(tokens).tokenize(CAPTIONS)
    losses = {
        kind: made(tokens, duplicates=kind)(*frames(), text).total.item()
        for kind in ("positives", "mask", "ignore")
    }
    assert losses["mask"] < losses["ignore"]
    # Columns of the same caption are equal, so that it does not matter how a target is spread over them.
    assert losses["positives"] == pytest.approx(losses["ignore"])
    clips = torch.tensor([0, 1, 2, 3, 3, 4])
    assert made(tokens)(*frames(), text, clips).total.item() != pytest.approx(losses["positives"])
    with_clips = made(tokens, duplicates="mask")(*frames(), text, clips).total.item()
    assert with_clips < losses["mask"]
    alike = made(tokens, duplicates="mask")(*frames(), text, torch.zeros(6, dtype=torch.int64))
    assert alike.total.item() == 0


def test_the_norm_regulariser_is_audens(tokens: Tokens) -> None:
    text = made(tokens).tokenize(CAPTIONS)
    plain, regularised = made(tokens), made(tokens, norm_weight=3.0)
    audio, captions = plain.embed_audio(*frames()), plain.embed_text(text)
    term = sum(side.abs().mean() / side.square().sum().sqrt() for side in (audio, captions))
    expected = plain(*frames(), text).total + 3 * term
    got = regularised(*frames(), text).total
    torch.testing.assert_close(got, expected)
    names = [name for name, _ in plain.named_parameters()]
    gradients = [
        torch.autograd.grad(one, list(m.parameters())) for one, m in ((expected, plain), (got, regularised))
    ]
    for name, one, other in zip(names, *gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6, msg=name)


def test_settings_rebuild_the_objective(tokens: Tokens) -> None:
    objective = made(
        tokens, loss="siglip", pooling="attention", duplicates="mask", temperature=0.2, chunk=2
    ).eval()
    again = Contrastive(**json.loads(json.dumps(objective.settings()))).eval()
    again.load_state_dict(objective.state_dict())
    text = objective.tokenize(CAPTIONS)
    assert torch.equal(again(*frames(), text).total, objective(*frames(), text).total)
    assert again.settings() == objective.settings()


def test_a_fixed_temperature_stays(tokens: Tokens) -> None:
    objective = made(tokens, learnable=False)
    objective(*frames(), objective.tokenize(CAPTIONS)).total.backward()
    assert objective.loss.log_scale.grad is None


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_the_temperature_is_within_bounds_after_a_step(loss: str, tokens: Tokens) -> None:
    objective = made(tokens, loss=loss)
    objective.loss.log_scale.data.fill_(9.0)
    objective.after_step()
    assert objective.loss.log_scale.exp().item() == pytest.approx(100)


def test_autocast_gives_gradients_to_all(tokens: Tokens) -> None:
    objective = made(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(*frames(), objective.tokenize(CAPTIONS))
    loss.total.backward()
    assert loss.total.dtype == torch.float32
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())


def test_a_tower_that_cannot_read_the_tokens_is_refused(tokens: Tokens, tmp_path: Path) -> None:
    small = TextTower.scratch(tokens.size - 1, width=16, layers=1, heads=2)
    with pytest.raises(StewError, match="do not fit"):
        Contrastive(8, small, tokens)
    short = TextTower.scratch(tokens.size, width=16, layers=1, heads=2, max_length=11)
    with pytest.raises(StewError, match="reads no 12 tokens") as error:
        Contrastive(8, short, tokens)
    assert "11 or less" in error.value.hint
