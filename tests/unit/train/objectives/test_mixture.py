"""What the decoder sees and is to predict, written out by hand."""

import pytest
import torch
from torch import Tensor

from captionstew.train.objectives.mixture import Mixture, Task, Tosses
from captionstew.train.text.tokens import Tokens, train_tokens

CAPTIONS = ["ab", "b"]
BOS, PAD, EOS = 0, 1, 2


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    """One token per letter, at most four of them."""
    return Tokens(train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens"), 261, "bpe"), max_length=6)


def _task(mixture: Mixture, tokens: Tokens, parallel: list[bool], prompt: int = 1) -> Task:
    text = tokens(CAPTIONS)
    num_targets = int(text.lengths_B.sum()) - 2
    task = mixture.task(text, num_targets, torch.tensor(parallel), tokens, prompt)
    assert task.num_counted == task.counted_BL.sum()
    return task


def _targets(task: Task) -> list[list[int]]:
    rows = zip(task.targets_BL, task.counted_BL, strict=True)
    return [targets[counted].tolist() for targets, counted in rows]


def _seen(task: Task, row: int) -> Tensor:
    assert task.visible_BLL is not None
    return task.visible_BLL[row].long()


def test_auden_hides_the_end_and_reveals_the_length(tokens: Tokens) -> None:
    a, b = tokens(["ab"]).ids_BL[0, 1:3].tolist()
    task = _task(Mixture(), tokens, [False, True])
    assert task.ids_BL.tolist() == [[BOS, a, b], [tokens.mask] * 3]
    assert _targets(task) == [[a, b, EOS], [b]]
    assert torch.equal(_seen(task, 0), torch.ones(3, 3).tril().long())
    assert _seen(task, 1)[0].tolist() == [1, 0, 0]  # one token, and no more to be seen
    long = _task(Mixture(), tokens, [True, False])
    assert _targets(long) == [[a, b], [b, EOS]]
    assert _seen(long, 0)[:2].tolist() == [[1, 1, 0], [1, 1, 0]]


def test_cappa_masks_every_position_and_predicts_the_end(tokens: Tokens) -> None:
    a, b = tokens(["ab"]).ids_BL[0, 1:3].tolist()
    task = _task(Mixture(reveal_length=False, predict_eos=True), tokens, [False, True])
    assert task.ids_BL.tolist() == [[BOS, a, b, EOS, PAD], [tokens.mask] * 5]
    assert _targets(task) == [[a, b, EOS], [b, EOS]]
    assert _seen(task, 1).all()
    assert torch.equal(_seen(task, 0), torch.ones(5, 5).tril().long())


def test_bart_starts_from_the_end_token_and_is_not_asked_for_what_it_is_given(tokens: Tokens) -> None:
    a, b = tokens(["ab"]).ids_BL[0, 1:3].tolist()
    task = _task(Mixture(), tokens, [False, True], prompt=2)
    assert task.ids_BL.tolist() == [[EOS, BOS, a, b], [tokens.mask] * 4]
    assert _targets(task) == [[a, b, EOS], [b]]
    assert task.counted_BL.tolist() == [[False, True, True, True], [False, True, False, False]]
    assert _seen(task, 1)[1].tolist() == [1, 1, 0, 0]
    fixed = _task(Mixture(reveal_length=False), tokens, [False, True], prompt=2)
    assert fixed.ids_BL.shape == (2, 6)


def test_without_parallel_captions_there_is_no_mask_and_no_padding_to_full_length(tokens: Tokens) -> None:
    task = _task(Mixture(reveal_length=False), tokens, [False, False])
    assert task.visible_BLL is None
    assert task.ids_BL.shape == (2, 3)


def test_an_empty_caption_in_parallel_asks_for_nothing_and_still_sees_something(tokens: Tokens) -> None:
    text = tokens(["", "b"])
    task = Mixture().task(text, 3, torch.tensor([True, True]), tokens, 1)
    assert _targets(task) == [[], text.ids_BL[1, 1:2].tolist()]
    assert task.visible_BLL is not None
    assert task.visible_BLL.any(-1).all()


def test_an_exact_share_is_exact_and_at_random() -> None:
    tosses = Tosses(0)
    drawn = [Mixture(0.75).draw(10, tosses.next()) for _ in range(50)]
    assert all(int(rows.sum()) == 8 for rows in drawn)
    assert len({tuple(rows.tolist()) for rows in drawn}) > 20


def test_a_share_per_caption_holds_on_the_whole() -> None:
    mixture = Mixture(0.75, exact_share=False)
    counts = torch.stack([mixture.draw(40, Tosses(seed).next()).sum() for seed in range(200)]).float()
    assert counts.mean().item() == pytest.approx(30, abs=0.6)
    assert counts.std().item() == pytest.approx((40 * 0.75 * 0.25) ** 0.5, rel=0.2)


@pytest.mark.parametrize("exact_share", [True, False])
def test_shares_of_none_and_all_are_that(exact_share: bool) -> None:
    assert not Mixture(0.0, exact_share).draw(7, Tosses(1).next()).any()
    assert Mixture(1.0, exact_share).draw(7, Tosses(1).next()).all()


def test_draws_go_on_where_their_state_was_taken() -> None:
    tosses = Tosses(5)
    tosses.next()
    state, other = tosses.state(), Tosses(9)
    expected = [torch.rand(3, generator=tosses.next()) for _ in range(2)]
    other.restore(state)
    assert torch.equal(
        torch.stack([torch.rand(3, generator=other.next()) for _ in range(2)]), torch.stack(expected)
    )
    assert not torch.equal(*expected)
    tosses.reseed(6)
    assert not torch.equal(torch.rand(3, generator=tosses.next()), expected[0])
