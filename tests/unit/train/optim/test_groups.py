"""Which parameters train, at which rate, with which decay."""

import pytest
from torch import nn

from captionstew.errors import RecipeError
from captionstew.train.optim.groups import LayerDecay, freeze, lr_scales, rate_groups, trained


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(5, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.norm = nn.LayerNorm(4)


def test_freezing_by_pattern_says_what_was_frozen() -> None:
    tower = Tower()
    assert freeze(tower, ["layers.[01].*", "embed*"]) == [
        "embeddings.weight", "layers.0.bias", "layers.0.weight", "layers.1.bias", "layers.1.weight",
    ]  # fmt: skip
    assert list(trained(tower)) == ["layers.2.weight", "layers.2.bias", "norm.weight", "norm.bias"]


def test_a_pattern_without_a_match_is_refused_and_freezes_nothing_else() -> None:
    with pytest.raises(RecipeError, match=r"nothing to freeze is named 'layer\.\*'"):
        freeze(Tower(), ["layer.*"])


def test_scales_multiply_down_the_tree() -> None:
    tower = Tower()
    tower.lr_scale, tower.layers.lr_scale, tower.layers[1].lr_scale = 0.5, 0.1, 3.0  # type: ignore[assignment]
    scales = lr_scales(tower)
    assert scales["norm.weight"] == 0.5
    assert scales["layers.0.bias"] == pytest.approx(0.05)
    assert scales["layers.1.bias"] == pytest.approx(0.15)
    assert set(scales) == {name for name, _ in tower.named_parameters()}


@pytest.mark.parametrize("prefix", ["", "text.", "text.encoder."])
def test_layers_move_the_slower_the_deeper_they_lie(prefix: str) -> None:
    names = [prefix + name for name, _ in Tower().named_parameters()]
    factors = LayerDecay(0.5).factors(names)
    by_name = {name.removeprefix(prefix): factor for name, factor in factors.items()}
    assert [by_name[f"layers.{i}.weight"] for i in range(3)] == [0.25, 0.5, 1.0]
    assert by_name["embeddings.weight"] == 0.125
    assert by_name["norm.bias"] == 1.0


def test_only_matrices_decay_and_equal_rates_share_a_group() -> None:
    parameters = trained(Tower())
    factors = {name: 0.5 if name.startswith("layers.0") else 1.0 for name in parameters}
    groups = rate_groups(parameters, 0.2, factors, weight_decay=0.01)
    found = {(group["lr"], group["weight_decay"]): group["names"] for group in groups}
    assert found == {
        (0.2, 0.01): ["embeddings.weight", "layers.1.weight", "layers.2.weight"],
        (0.2, 0.0): ["layers.1.bias", "layers.2.bias", "norm.weight", "norm.bias"],
        (0.1, 0.01): ["layers.0.weight"],
        (0.1, 0.0): ["layers.0.bias"],
    }
    (group,) = rate_groups(parameters, 0.2, {})
    assert "weight_decay" not in group
    assert len(group["params"]) == len(parameters)
