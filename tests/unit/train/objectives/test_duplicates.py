import torch

from captionstew.train.objectives.duplicates import Pairs, caption_keys, hits, num_distinct
from captionstew.train.objectives.objective import Text
from captionstew.train.objectives.pooling import unit


def text(rows: list[list[int]], width: int) -> Text:
    ids = torch.tensor([row + [9] * (width - len(row)) for row in rows])
    return Text(ids, torch.tensor([len(row) for row in rows]), tuple(map(str, rows)))


def test_the_same_tokens_have_the_same_key_whatever_the_padding() -> None:
    rows = [[1, 5, 2], [1, 2], [1, 5, 2]]
    narrow, wide = caption_keys(text(rows, 3)), caption_keys(text(rows, 8))
    assert torch.equal(narrow, wide)
    assert narrow[0] == narrow[2] != narrow[1]


def test_order_length_and_every_token_change_the_key() -> None:
    rows = [[a, b, c] for a in range(12) for b in range(12) for c in range(12)]
    rows += [[a, b] for a in range(12) for b in range(12)] + [[0, 0, 0, 0], [0]]
    assert num_distinct(caption_keys(text(rows, 4))).item() == len(rows)


def test_random_captions_do_not_collide() -> None:
    ids = torch.randint(0, 30522, (200_000, 6), generator=torch.Generator().manual_seed(0))
    keys = caption_keys(Text(ids, torch.full((len(ids),), 6), ()))
    assert num_distinct(keys).item() == len(torch.unique(ids, dim=0))


def test_distinct_captions_are_counted() -> None:
    assert num_distinct(torch.tensor([4, 2, 4, 4, 7])).item() == 3
    assert num_distinct(torch.tensor([4])).item() == 1


def test_a_block_tells_right_answers_and_those_left_out() -> None:
    keys = torch.tensor([[1], [2], [1]])
    same = torch.tensor([[True, False, True], [False, True, False], [True, False, True]])
    right, out = Pairs.of(keys, "positives").block(slice(0, 3))
    assert torch.equal(right, same)
    assert out is None
    right, out = Pairs.of(keys, "mask").block(slice(1, 3))
    assert torch.equal(right, torch.eye(3, dtype=torch.bool)[1:])
    assert out is not None
    assert torch.equal(out, (same ^ torch.eye(3, dtype=torch.bool))[1:])
    right, out = Pairs.of(keys, "ignore").block(slice(0, 2))
    assert torch.equal(right, torch.eye(3, dtype=torch.bool)[:2])
    assert out is None


def test_hits_count_what_is_nearer_than_every_wrong_answer() -> None:
    audio = unit(torch.tensor([[1.0, 0.1], [0.1, 1.0], [1.0, 0.2]]))
    captions = unit(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]))
    found = hits(audio, captions, Pairs.of(torch.arange(3)[:, None], chunk=2))
    # Clip 0 finds caption 0; clip 1 is as near to caption 2 as to its own; clip 2 prefers caption 0.
    assert [one.item() for one in found] == [torch.tensor(1 / 3).item(), torch.tensor(2 / 3).item()]


def test_a_collapsed_or_broken_model_hits_nothing() -> None:
    for value in (1.0, torch.nan):
        same = torch.full((6, 2), value)
        assert [one.item() for one in hits(same, same, Pairs.of(torch.arange(6)[:, None]))] == [0, 0]
