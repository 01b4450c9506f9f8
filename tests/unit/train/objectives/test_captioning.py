"""The captioning objective: its loss against plain torch, its invariances, on one and two ranks, and what it writes."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, multiprocessing
from torch.nn import functional

from captionstew.errors import StewError
from captionstew.train.decoding import Search
from captionstew.train.launch import joined
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.objective import Text
from captionstew.train.ranks import average_gradients
from captionstew.train.text.scratch import ScratchDecoder
from captionstew.train.text.tokens import Tokens, train_tokens

CAPTIONS = ["a dog barks at night", "rain", "a man speaks while a car passes by", "birds sing", "a bell"]
PRESETS = ["auden", "cappa", "bart"]
WIDTH = 12


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """A tokenizer of the captions in BART's layout."""
    return Tokens(train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens"), 290, "bpe"), max_length=32)


def _made(preset: str, tokens: Tokens, **fields: Any) -> Captioning:
    torch.manual_seed(0)
    if preset == "bart":
        form = {"d_model": 16, "decoder_layers": 2, "decoder_attention_heads": 4, "decoder_ffn_dim": 64}
        still = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout"), 0.0)
        return Captioning.bart(tokens, WIDTH, pretrained=None, **form | still | fields)
    small = {"width": 16, "num_layers": 2, "num_heads": 4, "dropout": 0.0, **fields}
    objective = (Captioning.auden if preset == "auden" else Captioning.cappa)(tokens, WIDTH, **small)
    torch.nn.init.normal_(objective.decoder.output()[0], std=0.3)  # CapPa's zeros would hide mistakes
    return objective


def _clips() -> tuple[Tensor, Tensor]:
    frames_BTD = torch.randn(5, 9, WIDTH, generator=torch.Generator().manual_seed(1))
    return frames_BTD, torch.tensor([9, 4, 7, 2, 5])


PARALLEL = torch.tensor([True, False, True, True, False])


def _plain(objective: Captioning, text: Text, parallel_B: Tensor) -> dict[str, Tensor]:
    """The loss row by row, without padding, with torch's own cross-entropy."""
    marks, mixture = objective.marks, objective.mixture
    frames_BTD, lengths_B = _clips()
    losses: dict[bool, list[Tensor]] = {True: [], False: []}
    for row, parallel in enumerate(parallel_B.tolist()):
        words = text.ids_BL[row, 1 : text.lengths_B[row] - 1]
        targets = torch.cat((words, torch.tensor([marks.eos])))
        if parallel and not mixture.predict_eos:
            targets = words
        inputs = torch.cat((torch.tensor(marks.prompt), words))
        visible = None
        if parallel:
            before = len(marks.prompt) - 1
            num = before + (len(targets) if mixture.reveal_length else objective.tokens.max_length - 1)
            inputs = torch.full((num,), objective.tokens.mask)
            visible = torch.ones(1, num, num, dtype=torch.bool)
        frames = frames_BTD[row : row + 1, : lengths_B[row]]
        hidden = objective.decoder(inputs[None], frames, lengths_B[row : row + 1], visible)[0]
        start = len(marks.prompt) - 1
        logits = functional.linear(hidden[start : start + len(targets)], *objective.decoder.output())
        smoothing = objective.label_smoothing
        each = functional.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="none")
        losses[parallel].append(each)
    both = [torch.cat(losses[kind]) for kind in (False, True)]
    return {
        "loss": torch.cat(both).mean(), "loss_autoregressive": both[0].mean(), "loss_parallel": both[1].mean()
    }  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_the_loss_is_the_mean_over_all_target_tokens(preset: str, tokens: Tokens) -> None:
    objective = _made(preset, tokens)
    text = objective.tokenize(CAPTIONS)
    loss = objective.loss(*_clips(), text, PARALLEL)
    expected = _plain(objective, text, PARALLEL)
    torch.testing.assert_close(loss.total, expected["loss"], atol=1e-5, rtol=1e-5)
    for name, value in expected.items():
        torch.testing.assert_close(loss.parts[name], value.detach(), atol=1e-5, rtol=1e-5)
    num_words = int(text.lengths_B.sum()) - 2 * len(CAPTIONS)
    assert loss.weight == num_words + (5 if preset == "cappa" else 2)
    parameters = list(objective.parameters())
    ours = torch.autograd.grad(loss.total, parameters)
    for mine, theirs in zip(ours, torch.autograd.grad(expected["loss"], parameters), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_caption_is_judged_alike_in_any_batch(preset: str, tokens: Tokens) -> None:
    objective = _made(preset, tokens)
    frames_BTD, lengths_B = _clips()
    whole = objective.loss(frames_BTD, lengths_B, objective.tokenize(CAPTIONS), PARALLEL)
    sums = []
    for row in range(5):
        frames = frames_BTD[row : row + 1, : lengths_B[row]]
        text = objective.tokenize(CAPTIONS[row : row + 1])
        alone = objective.loss(frames, lengths_B[row : row + 1], text, PARALLEL[row : row + 1])
        sums.append(alone.total * alone.weight)
    torch.testing.assert_close(torch.stack(sums).sum() / whole.weight, whole.total, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_batch_is_learnt_and_then_written(preset: str, tokens: Tokens) -> None:
    objective = _made(preset, tokens, **{"d_model" if preset == "bart" else "width": 32})
    frames_BTD, lengths_B = _clips()
    text = objective.tokenize(CAPTIONS)
    mover = torch.optim.Adam(objective.parameters(), 1e-2 if preset == "cappa" else 4e-3)
    losses = []
    for _ in range(120):
        loss = objective(frames_BTD, lengths_B, text)
        mover.zero_grad()
        loss.total.backward()
        mover.step()
        losses.append(loss.parts["loss"])
        assert all(part.isfinite() for part in loss.parts.values())
    assert losses[-1] < 0.5 * losses[0]
    objective.eval()
    assert objective.caption(frames_BTD, lengths_B) == CAPTIONS
    assert objective.caption(frames_BTD, lengths_B, Search(3, early_stop=False)) == CAPTIONS
    right = objective.score(frames_BTD, lengths_B, text)
    wrong = objective.score(frames_BTD.roll(1, 0), lengths_B.roll(1, 0), text)
    assert (right > wrong).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_score_is_the_likelihood_token_by_token(preset: str, tokens: Tokens) -> None:
    objective = _made(preset, tokens).eval()
    objective.label_smoothing = 0.0
    text = objective.tokenize(CAPTIONS)
    scores_B = objective.score(*_clips(), text)
    for row in range(5):
        one = torch.zeros(5, dtype=torch.bool)
        few = [tensor[row : row + 1] for tensor in (*_clips(), one)]
        alone = objective.tokenize(CAPTIONS[row : row + 1])
        loss = objective.loss(few[0], few[1], alone, few[2])
        torch.testing.assert_close(scores_B[row], -loss.total.detach() * loss.weight, atol=1e-4, rtol=1e-4)


def test_plain_text_gives_the_same_loss_as_counted_text(tokens: Tokens) -> None:
    objective = _made("auden", tokens)
    plain = tokens(CAPTIONS)
    assert type(plain) is Text
    losses = [objective.loss(*_clips(), text, PARALLEL) for text in (plain, objective.tokenize(CAPTIONS))]
    assert torch.equal(losses[0].total, losses[1].total)
    moved = objective.tokenize(CAPTIONS).to(torch.device("cpu"))
    assert objective.loss(*_clips(), moved, PARALLEL).weight == losses[0].weight


def test_accuracy_and_cut_captions_are_counted(tokens: Tokens) -> None:
    objective = _made("auden", tokens)
    loss = objective(*_clips(), objective.tokenize([*CAPTIONS[:3], CAPTIONS[2] * 9, CAPTIONS[2] * 9]))
    assert loss.parts["truncated"] == pytest.approx(0.4)
    assert 0 <= loss.parts["accuracy"] < 0.5
    torch.nn.init.zeros_(objective.decoder.output()[0])
    with torch.no_grad():
        objective.decoder.project.weight[:] = 0  # type: ignore[union-attr,operator]
    even = objective.loss(*_clips(), objective.tokenize(CAPTIONS), torch.zeros(5, dtype=torch.bool))
    assert even.parts["accuracy"] == 0  # all tokens alike: the first, <s>, counts as foremost


def test_draws_follow_the_seed_and_evaluation_takes_none(tokens: Tokens) -> None:
    objective, other = _made("cappa", tokens), _made("cappa", tokens)
    first, second = objective.draw(40), objective.draw(40)
    assert not torch.equal(first, second)
    assert torch.equal(other.draw(40), first)
    state = other.chance.state()
    other.eval()
    assert torch.equal(other.draw(40), other.draw(40))
    assert other.chance.state() == json.loads(json.dumps(state))
    other.train()
    assert torch.equal(other.draw(40), second)


@pytest.mark.parametrize("preset", PRESETS)
def test_settings_rebuild_the_objective(preset: str, tokens: Tokens) -> None:
    objective = _made(preset, tokens).eval()
    again = Captioning(**json.loads(json.dumps(objective.settings()))).eval()
    again.load_state_dict(objective.state_dict())
    text = objective.tokenize(CAPTIONS)
    assert torch.equal(again(*_clips(), text).total, objective(*_clips(), text).total)
    assert again.mixture == objective.mixture
    assert again.settings() == objective.settings()


def test_what_does_not_fit_is_refused(tokens: Tokens) -> None:
    with pytest.raises(StewError, match="knows 280 tokens"):
        Captioning(tokens, ScratchDecoder.auden(280, WIDTH, width=16, num_heads=4))
    with pytest.raises(StewError, match="positions"):
        Captioning(tokens, _made("auden", tokens, max_positions=20).decoder)


@pytest.mark.parametrize("narrow", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("preset", PRESETS)
def test_narrow_numbers_give_nearly_the_same_loss(preset: str, narrow: torch.dtype, tokens: Tokens) -> None:
    objective = _made(preset, tokens)
    text = objective.tokenize(CAPTIONS)
    wide = objective.loss(*_clips(), text, PARALLEL).total
    with torch.autocast("cpu", narrow):
        loss = objective.loss(*_clips(), text, PARALLEL).total
    torch.testing.assert_close(loss, wide, atol=0.05, rtol=0.02)
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in objective.parameters())


ROWS = (slice(0, 3), slice(3, 5))  # of each of two ranks


def _work(number: int, port: int, folder: str, out: Path) -> None:
    os.environ |= {"RANK": str(number), "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(port)}  # fmt: skip
    torch.set_num_threads(1)
    with joined():
        for preset in ("auden", "cappa"):
            objective, rows = _made(preset, Tokens(folder, 32)), ROWS[number]
            frames_BTD, lengths_B = (x[rows] for x in _clips())
            text = objective.tokenize(CAPTIONS[rows])
            loss = objective.loss(frames_BTD, lengths_B, text, PARALLEL[rows])
            loss.total.backward()  # type: ignore[no-untyped-call]
            average_gradients(objective.parameters())
            gradients = [parameter.grad for parameter in objective.parameters()]
            objective.eval()
            if number == 0:  # alone: in evaluation nobody waits for the others
                objective.loss(frames_BTD, lengths_B, text, PARALLEL[rows])
            torch.save((gradients, dict(loss.parts), loss.weight), out / f"{preset}-{number}.pt")


def test_two_ranks_with_unequal_batches_are_one(tokens: Tokens, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    multiprocessing.spawn(_work, (port, str(tokens.name), tmp_path), nprocs=2)  # type: ignore[no-untyped-call,attr-defined]
    for preset in ("auden", "cappa"):
        objective = _made(preset, tokens)
        whole = objective.loss(*_clips(), objective.tokenize(CAPTIONS), PARALLEL)
        expected = torch.autograd.grad(whole.total, list(objective.parameters()))
        for number in range(2):
            gradients, parts, weight = torch.load(tmp_path / f"{preset}-{number}.pt")
            for found, one in zip(gradients, expected, strict=True):
                torch.testing.assert_close(found, one, atol=1e-6, rtol=1e-4)
            torch.testing.assert_close(parts, dict(whole.parts), atol=1e-5, rtol=1e-5)
            assert weight == whole.weight
