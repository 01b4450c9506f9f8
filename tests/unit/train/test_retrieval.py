import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from captionstew.train.retrieval import Recall, retrieval


def test_ranks_are_counted_as_by_hand() -> None:
    audio = torch.eye(3)
    text = torch.tensor([[0.9, 0.5, 0.0], [0.2, 0.1, 0.0], [0.8, 0.7, 0.1], [0.0, 0.0, 1.0]])
    found = retrieval(audio, text, torch.tensor([0, 0, 1, 2]), chunk=2)
    # Clip 0: its first caption leads. Clip 1: its caption leads (0.7 over 0.5, 0.1). Clip 2: 1.0 over 0.1.
    assert found.audio_to_text == Recall(1.0, 1.0, 1.0, 1.0, 1.0)
    # Captions: clip 0 leads for the first three, right for two of them; the third has its clip second.
    assert found.text_to_audio == Recall(0.75, 1.0, 1.0, 1.0, 1.25)


def test_a_clip_needs_only_one_of_its_captions_found() -> None:
    audio, text = torch.eye(2), torch.tensor([[0.9, 0.0], [-1.0, 0.0], [0.5, 0.4]])
    found = retrieval(audio, text, torch.tensor([0, 0, 1]))
    assert found.audio_to_text.at_1 == 1.0


def test_ties_and_broken_numbers_are_lost() -> None:
    for value in (1.0, torch.nan):
        same = torch.full((20, 4), value)
        found = retrieval(same, same, torch.arange(20)).figures()
        assert {v for name, v in found.items() if "R@" in name} == {0.0}
        assert found["audio_to_text/median_rank"] == 20


def test_the_median_lies_between_two_ranks() -> None:
    assert Recall.of(torch.tensor([1, 2, 5, 20])).median_rank == 3.5


def test_chunks_change_nothing() -> None:
    random = torch.Generator().manual_seed(0)
    audio, text = torch.randn(30, 4, generator=random), torch.randn(75, 4, generator=random)
    owners = torch.arange(75) % 30
    assert retrieval(audio, text, owners, 7) == retrieval(audio, text, owners, 1000)


def test_a_clip_without_caption_is_an_error() -> None:
    with pytest.raises(AssertionError, match="without caption"):
        retrieval(torch.eye(3), torch.eye(3), torch.tensor([0, 1, 1]))


@pytest.mark.parametrize(
    ("case", "short"), [("five_captions", "c5"), ("one_to_one", "c1"), ("ragged", "rag")]
)
def test_figures_are_those_of_published_evaluations(case: str, short: str, golden: Path) -> None:
    arrays = np.load(golden / "metrics_retrieval.npz")
    cases = json.loads((golden / "metrics_retrieval.json").read_text())["cases"]
    audio, text = (
        normalize(torch.from_numpy(arrays[f"{short}_{side}"]), dim=-1) for side in ("audio", "text")
    )
    owners = arrays["rag_owner"] if case == "ragged" else np.arange(len(text)) // (len(text) // len(audio))
    found = retrieval(audio, text, torch.from_numpy(owners), chunk=16).figures()
    for side, name in (("audio_to_text", "a2t"), ("text_to_audio", "t2a")):
        for k in (1, 5, 10):
            if "laion" in cases[case]:
                assert found[f"{side}/R@{k}"] == pytest.approx(cases[case]["laion"][f"{side}_R@{k}"])
            if "torchmetrics" in cases[case]:
                expected = cases[case]["torchmetrics"][name][f"hit@{k}"] / 100
                assert found[f"{side}/R@{k}"] == pytest.approx(expected)


def test_ranks_are_those_of_published_evaluations(golden: Path) -> None:
    arrays = np.load(golden / "metrics_retrieval.npz")
    expected = json.loads((golden / "metrics_retrieval.json").read_text())["cases"]["five_captions"][
        "wavcaps"
    ]
    audio, text = (normalize(torch.from_numpy(arrays[f"c5_{side}"]), dim=-1) for side in ("audio", "text"))
    found = retrieval(audio, text, torch.arange(300) // 5)
    for recall, theirs in ((found.audio_to_text, expected["a2t"]), (found.text_to_audio, expected["t2a"])):
        assert recall.mean_rank == pytest.approx(theirs["meanr"])
        assert recall.median_rank == theirs["medr"]


def test_ties_have_the_pessimistic_rank(golden: Path) -> None:
    similar = torch.from_numpy(np.load(golden / "metrics_retrieval.npz")["tie_sim"])
    expected = json.loads((golden / "metrics_retrieval.json").read_text())["cases"]["ties"]
    expected = expected["scipy_rankdata"]["pessimistic"]
    eye = torch.eye(12, dtype=torch.float64)
    found = retrieval(similar, eye, torch.arange(12)).audio_to_text
    assert 100 * found.at_1 == pytest.approx(expected["r1"])
    assert 100 * found.at_5 == pytest.approx(expected["r5"])
    assert 100 * found.at_10 == pytest.approx(expected["r10"])
    assert found.mean_rank == pytest.approx(np.mean(expected["ranks"]))
