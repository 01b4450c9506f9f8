"""Every training recipe of the room loads, says what it is, and travels; a new file is tested by existing."""

import json
import pickle
from dataclasses import replace

import pytest

from captionstew.errors import RecipeError
from captionstew.rooms import room
from captionstew.train.run import Caption, Contrast, Run
from captionstew.training import run, runs, set_fields


@pytest.mark.parametrize("name", runs())
def test_a_run_is_called_as_its_file_and_says_what_it_is(name: str) -> None:
    made = run(name)
    assert made.name == name
    assert 20 < len(made.about) < 100
    assert made.steps > 0


@pytest.mark.parametrize("name", runs())
def test_a_run_travels_and_is_json(name: str) -> None:
    made = run(name)
    assert pickle.loads(pickle.dumps(made)) == made
    assert json.loads(json.dumps(made.plain()))["name"] == name


@pytest.mark.parametrize("name", [name for name in runs() if not name.endswith("_small")])
def test_a_run_at_the_papers_figures_has_a_sibling_for_one_cpu(name: str) -> None:
    made = run(name)
    assert made.data.seconds == 640
    assert made.steps == (200_000 if name.endswith("_audioset") else 600_000)
    family = {type(part) for part in made.parts}
    small = [run(other) for other in runs() if other.endswith("_small")]
    assert any({type(part) for part in one.parts} & family for one in small)


def test_every_file_of_the_room_is_a_run() -> None:
    assert {path.stem for path in room("training").glob("*.py")} == set(runs())


def test_fields_are_set_by_their_own_name_or_with_their_part() -> None:
    made = set_fields(run("hybrid"), ["steps=5", "data.seconds=8", "contrast.width=12", "caption.weight=0.5"])
    contrast, caption = made.parts
    assert isinstance(contrast, Contrast)
    assert isinstance(caption, Caption)
    assert (made.steps, made.data.seconds, contrast.width, caption.weight) == (5, 8.0, 12, 0.5)
    assert replace(made, steps=600_000).audio == run("hybrid").audio


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("stepz=1", "did you mean `steps`"),
        ("rate_factor=2", "say which"),
        ("steps=many", "a whole number"),
        ("audio.padding=none", "exact, icefall"),
        ("data.seconds", "sets nothing"),
        ("optimizer.rate=1", "did you mean `optimiser`"),
    ],
)
def test_a_wrong_setting_is_explained(setting: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        set_fields(run("hybrid"), [setting])
    assert says in str(caught.value)


def test_a_run_that_does_not_exist_is_explained() -> None:
    with pytest.raises(RecipeError, match="did you mean `contrastive`"):
        run("contrastiv")


def test_a_run_needs_no_torch_to_be_read() -> None:
    import subprocess
    import sys

    code = "import sys; from captionstew.training import run; run('hybrid'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_room_holds_runs_only() -> None:
    assert all(isinstance(run(name), Run) for name in runs())
