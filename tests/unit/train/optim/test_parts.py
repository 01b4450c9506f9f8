"""Optimisers per part of a model: each parameter once, stepped, skipped and saved together."""

import io
import math

import pytest
import torch
from torch import Tensor, nn

from captionstew.errors import IncompleteError, RecipeError
from captionstew.train.optim.adamw import AdamW
from captionstew.train.optim.groups import LayerDecay
from captionstew.train.optim.guard import Guard
from captionstew.train.optim.parts import Part, Parts, Scaled, Weighted, assign
from captionstew.train.optim.scaled_adam import ScaledAdam
from captionstew.train.optim.schedules import Constant, Cosine


class Model(nn.Module):
    """An encoder of three layers with a text tower beside a head."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.objective = nn.Module()
        self.objective.text = nn.Linear(4, 4)
        self.objective.temperature = nn.Parameter(torch.tensor(0.07))
        for param in self.parameters():
            param.data.copy_(torch.randn(param.shape, generator=generator))


PARTS: dict[str, Part] = {
    "encoder": Scaled(0.05, Constant(), layer_decay=LayerDecay(0.5)),
    "objective.text": Weighted(Cosine(100, 10), 1e-3, factor=0.1),
    "objective": Weighted(Constant(), 1e-2),
}


def filled(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for param in model.parameters():
        param.grad = torch.randn(param.shape, generator=generator)


def spoil(model: nn.Module, name: str, value: float) -> None:
    grad = model.get_parameter(name).grad
    assert grad is not None
    grad.view(-1)[0] = value


def weights(model: nn.Module) -> list[Tensor]:
    return [param.detach().clone() for param in model.parameters()]


def test_the_longest_prefix_has_a_parameter() -> None:
    shares = assign(Model(), list(PARTS))
    assert {prefix: len(share) for prefix, share in shares.items()} == {
        "encoder": 6,
        "objective.text": 2,
        "objective": 1,
    }
    assert list(shares["objective"]) == ["objective.temperature"]
    assert len(assign(Model(), ["", "encoder"])[""]) == 3


def test_parameters_in_no_part_are_named() -> None:
    with pytest.raises(RecipeError, match=r"objective\.temperature.*objective\.text\.weight"):
        assign(Model(), ["encoder"])
    with pytest.raises(RecipeError, match=r"encoder\.layers\.0\.weight"):
        assign(Model(), ["enc", "objective"])


def test_shared_parameters_in_two_parts_are_named() -> None:
    model = Model()
    model.objective.text.weight = model.encoder.layers[2].weight  # type: ignore[union-attr, index]
    with pytest.raises(RecipeError, match=r"two optimisers.*objective\.text\.weight"):
        assign(model, list(PARTS))
    assert len(assign(model, [""])[""]) == 8


def test_a_part_of_nothing_is_refused_and_frozen_parameters_need_none() -> None:
    with pytest.raises(RecipeError, match="decoder"):
        assign(Model(), ["", "decoder"])
    model = Model()
    model.objective.requires_grad_(False)
    assert list(assign(model, ["encoder"])) == ["encoder"]


def test_each_part_steps_as_it_would_alone() -> None:
    model, alone = Model(), Model()
    parts = Parts(model, PARTS)
    layers = [list(layer.parameters()) for layer in alone.encoder.layers]  # type: ignore[union-attr]
    text = alone.objective.text
    assert isinstance(text, nn.Linear)
    scaled = ScaledAdam([{"params": layers[i], "lr": 0.05 * 0.5 ** (2 - i)} for i in range(3)])
    settings = {"betas": (0.9, 0.98), "eps": 1e-6, "max_norm": 1.0}
    texts = AdamW([{"params": [text.weight]}, {"params": [text.bias], "weight_decay": 0.0}], 1e-4, **settings)  # type: ignore[arg-type]
    heads = AdamW([alone.objective.temperature], 1e-2, weight_decay=0.0, **settings)  # type: ignore[arg-type]
    for step in range(1, 8):
        filled(model, step)
        filled(alone, step)
        rate = parts.schedule(step)
        assert rate == pytest.approx(0.05)
        assert parts.rates == pytest.approx(
            {"encoder": 0.05, "objective.text": step * 1e-5, "objective": 0.01}
        )
        assert parts.step()
        for group in texts.param_groups:
            group["lr"] = 1e-4 * step / 10
        for optimizer in (scaled, texts, heads):
            optimizer.step()
    for one, other in zip(weights(model), weights(alone), strict=True):
        torch.testing.assert_close(one, other)
    assert parts.norms["objective.text"] == texts.last_norm


def test_a_gradient_that_is_not_finite_anywhere_skips_all_parts() -> None:
    model = Model()
    parts = Parts(model, PARTS, Guard(patience=3))
    before = weights(model)
    for value in (math.nan, math.inf):
        filled(model, 1)
        spoil(model, "objective.text.bias", value)
        assert not parts.step()
    assert all(torch.equal(one, other) for one, other in zip(weights(model), before, strict=True))
    assert parts.guard.num_skipped == 2
    filled(model, 1)
    assert parts.step()
    assert not torch.equal(weights(model)[0], before[0])


def test_too_many_bad_steps_in_a_row_end_the_run_with_a_reason() -> None:
    model = Model()
    parts = Parts(model, PARTS, Guard(patience=2))
    for number in range(4):
        filled(model, number)
        if number != 1:
            spoil(model, "objective.temperature", math.nan)
        if number < 3:
            parts.step()
    with pytest.raises(IncompleteError, match=r"2 steps in a row.*clip 17"):
        parts.step("clip 17")


def test_a_saved_state_continues_bit_for_bit() -> None:
    model, other = Model(), Model()
    parts, twin, file = Parts(model, PARTS), Parts(other, PARTS), io.BytesIO()
    for step in range(1, 13):
        filled(model, step)
        parts.schedule(step, epoch=step // 5)
        parts.step()
    torch.save((model.state_dict(), parts.state_dict()), file)
    file.seek(0)
    loaded, state = torch.load(file, weights_only=True)
    other.load_state_dict(loaded)
    twin.load_state_dict(state)
    assert twin.rates == parts.rates
    for step in range(13, 20):
        for one, each in ((model, parts), (other, twin)):
            filled(one, step)
            each.schedule(step)
            each.step()
    assert all(torch.equal(one, each) for one, each in zip(weights(model), weights(other), strict=True))
    assert twin.state_dict()["scheduler"] == parts.state_dict()["scheduler"] == {"step": 19, "epoch": 2}


def test_a_checkpoint_of_other_parts_is_refused() -> None:
    saved = Parts(Model(), PARTS).state_dict()
    frozen = Model()
    for name in ("weight", "bias"):
        frozen.get_parameter(f"objective.text.{name}").requires_grad_(False)
    fewer = {prefix: part for prefix, part in PARTS.items() if prefix != "objective.text"}
    Parts(frozen, fewer).load_state_dict(saved)
    with pytest.raises(RecipeError, match="'' has other parameters"):
        Parts(Model(), {"": Scaled()}).load_state_dict(saved)
    with pytest.raises(RecipeError, match="'encoder' has other parameters"):
        Parts(Model(), PARTS | {"encoder": Scaled()}).load_state_dict(saved)


def test_a_gradient_scaler_can_step_them() -> None:
    model, plain = Model(), Model()
    parts, twin = Parts(model, PARTS), Parts(plain, PARTS)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.zeros(()))
    for step in range(3):
        filled(model, step)
        filled(plain, step)
        for param in model.parameters():
            assert param.grad is not None
            param.grad *= 8.0
        scaler.step(parts)  # type: ignore[arg-type]
        scaler.update(8.0)
        twin.step()
    assert all(torch.equal(one, each) for one, each in zip(weights(model), weights(plain), strict=True))
