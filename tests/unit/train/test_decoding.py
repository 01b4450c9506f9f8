"""Greedy and beam search, against every caption there is and against transformers."""

import itertools

import pytest
import torch
from torch import Tensor
from transformers import BartConfig, BartForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from captionstew.train.decoding import Found, Marks, Search, beam, greedy, search
from captionstew.train.text.bart import BartDecoder
from captionstew.train.text.decoder import Decoder, Draft
from captionstew.train.text.scratch import ScratchDecoder

MARKS = Marks(prompt=(0,), eos=1, pad=2, never=(0, 2))


class Table(Decoder):
    """The next token's probabilities by the last token, the same for all clips: known by hand."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.size = self.width = len(rows)
        self.max_positions = 50
        self.rows: Tensor = torch.tensor(rows).log()
        self.eval()

    def begin(self, frames_BTD: Tensor, lengths_B: Tensor, num_beams: int = 1) -> Draft:
        return _TableDraft(self)

    def forward(
        self, ids_BL: Tensor, frames_BTD: Tensor, lengths_B: Tensor, visible_BLL: Tensor | None = None
    ) -> Tensor:
        return self.after(ids_BL)

    def settings(self) -> dict[str, float]:
        return {}

    def after(self, ids: Tensor) -> Tensor:
        """Log-probabilities of what follows each token."""
        return self.rows[ids]

    def output(self) -> tuple[Tensor, None]:
        return torch.eye(self.size), None


class _TableDraft(Draft):
    def __init__(self, table: Table) -> None:
        self._table = table

    def extend(self, ids_N: Tensor) -> Tensor:
        return self._table.after(ids_N)

    def select(self, rows_N: Tensor) -> None:
        """The last token alone counts."""


# Greedy takes 3 (0.5) and ends at 0.5 * 0.4; by way of 4 the end comes at 0.4 * 0.9.
TRAP = Table([
    [0.02, 0.03, 0.02, 0.5, 0.4, 0.03],
    [1 / 6] * 6,
    [1 / 6] * 6,
    [0.01, 0.4, 0.01, 0.2, 0.18, 0.2],
    [0.01, 0.9, 0.01, 0.03, 0.02, 0.03],
    [0.01, 0.5, 0.01, 0.08, 0.2, 0.2],
])  # fmt: skip


def _clips(num: int) -> tuple[Tensor, Tensor]:
    return torch.randn(num, 5, 8, generator=torch.Generator().manual_seed(0)), torch.tensor(
        [5, 3, 4, 2][:num]
    )


def _decoder(seed: int = 0) -> ScratchDecoder:
    torch.manual_seed(seed)
    decoder = ScratchDecoder.auden(9, 8, width=16, num_layers=2, num_heads=4, feed_forward=32)
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
        decoder.project.weight *= 0.3
    return decoder.eval()


def _texts(found: Found) -> list[list[int]]:
    return [ids[:length].tolist() for ids, length in zip(found.ids_BL, found.lengths_B, strict=True)]


def test_a_beam_finds_the_best_caption_that_greedy_walks_past() -> None:
    straight = greedy(TRAP, *_clips(2), MARKS, Search())
    wide = beam(TRAP, *_clips(2), MARKS, Search(num_beams=3))
    assert _texts(straight) == [[3, 1]] * 2
    assert _texts(wide) == [[4, 1]] * 2
    torch.testing.assert_close(straight.scores_B.exp(), torch.full((2,), 0.2))
    torch.testing.assert_close(wide.scores_B.exp(), torch.full((2,), 0.36))


def _every(table: Table, most: int, penalty: float) -> list[int]:
    """The worthiest of all captions of at most `most` tokens, by trying each."""
    worth: dict[tuple[int, ...], float] = {}
    words = [token for token in range(table.size) if token not in {0, 1, 2}]
    for length in range(most + 1):
        for inner in itertools.product(words, repeat=length):
            caption = tuple([*inner, 1] if length < most else inner)
            scores = [table.rows[before, after].item() for before, after in itertools.pairwise((0, *caption))]
            worth[caption] = sum(scores) / len(caption) ** penalty
    best = max(worth, key=lambda caption: worth[caption])
    return list(best)


@pytest.mark.parametrize("penalty", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_wide_patient_beam_finds_the_best_of_all_captions(seed: int, penalty: float) -> None:
    shares = torch.rand(6, 6, generator=torch.Generator().manual_seed(seed)) + 0.02
    table = Table((shares / shares.sum(1, keepdim=True)).tolist())
    how = Search(num_beams=60, max_tokens=4, length_penalty=penalty, early_stop=False)
    assert _texts(beam(table, *_clips(1), MARKS, how)) == [_every(table, 4, penalty)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("no_repeat", [0, 2])
def test_one_beam_is_greedy(seed: int, no_repeat: int) -> None:
    how = Search(max_tokens=12, no_repeat=no_repeat)
    one, straight = (find(_decoder(seed), *_clips(4), MARKS, how) for find in (beam, greedy))
    assert _texts(one) == _texts(straight)
    torch.testing.assert_close(one.scores_B, straight.scores_B)


def _slow_greedy(decoder: Decoder, frames_BTD: Tensor, lengths_B: Tensor, most: int) -> list[list[int]]:
    """The whole caption through the decoder for each token, a clip at a time."""
    captions = []
    for frames, length in zip(frames_BTD, lengths_B, strict=True):
        ids = [0]
        while len(ids) <= most and ids[-1] != 1:
            hidden = decoder(torch.tensor([ids]), frames[None, :length], length[None])
            logits = decoder.logits(hidden[:, -1])
            logits[:, [0, 2]] = -torch.inf
            ids.append(int(logits.argmax()))
        captions.append(ids[1:])
    return captions


@pytest.mark.parametrize("seed", range(3))
def test_keys_that_are_kept_change_nothing(seed: int) -> None:
    decoder = _decoder(seed)
    found = greedy(decoder, *_clips(4), MARKS, Search(max_tokens=10))
    assert _texts(found) == _slow_greedy(decoder, *_clips(4), 10)


def test_a_score_is_the_captions_likelihood_and_a_beams_is_no_less_than_greedys() -> None:
    for seed in range(4):
        decoder = _decoder(seed)
        how = Search(num_beams=4, max_tokens=8, length_penalty=0.0, early_stop=False)
        wide, straight = (find(decoder, *_clips(4), MARKS, how) for find in (beam, greedy))
        assert (wide.scores_B >= straight.scores_B - 1e-5).all()
        for found in (wide, straight):
            for row, ids in enumerate(_texts(found)):
                frames, lengths = (x[row : row + 1] for x in _clips(4))
                hidden = decoder(torch.tensor([[0, *ids[:-1]]]), frames, lengths)[0]
                likely = decoder.logits(hidden).log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum()
                torch.testing.assert_close(found.scores_B[row], likely, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_clips_caption_does_not_depend_on_the_others(num_beams: int) -> None:
    how, frames, lengths = Search(num_beams=num_beams, max_tokens=10), *_clips(4)
    together = search(_decoder(1), frames, lengths, MARKS, how)
    for row in range(4):
        alone = search(_decoder(1), frames[row : row + 1], lengths[row : row + 1], MARKS, how)
        assert _texts(alone) == [_texts(together)[row]]


@pytest.mark.parametrize("num_beams", [1, 4])
def test_no_sequence_comes_twice(num_beams: int) -> None:
    loop = Table(
        [[0.01, 0.01, 0.01, 0.57, 0.4]] * 3 + [[0.01, 0.01, 0.01, 0.07, 0.9], [0.01, 0.01, 0.01, 0.9, 0.07]]
    )
    free = search(loop, *_clips(1), MARKS, Search(num_beams, max_tokens=9))
    assert _texts(free) == [[3, 4, 3, 4, 3, 4, 3, 4, 3]]
    for size in (1, 2, 3):
        ids = _texts(search(loop, *_clips(1), MARKS, Search(num_beams, max_tokens=9, no_repeat=size)))[0]
        sequences = list(zip(*(ids[start:] for start in range(size)), strict=False))
        assert len(sequences) == len(set(sequences)), (size, ids)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("penalty", "no_repeat"), [(1.0, 0), (0.0, 0), (2.0, 2)])
def test_beams_are_those_of_transformers(seed: int, penalty: float, no_repeat: int) -> None:
    torch.manual_seed(seed)
    model = BartForConditionalGeneration(BartConfig(
        vocab_size=14, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        forced_eos_token_id=None, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=32,
        max_position_embeddings=30, init_std=0.6,
    )).eval()  # fmt: skip
    frames, lengths = torch.randn(3, 6, 16), torch.tensor([6, 4, 2])
    heard = (torch.arange(6) < lengths[:, None]).long()
    theirs = model.generate(
        encoder_outputs=BaseModelOutput(frames), attention_mask=heard, decoder_input_ids=torch.tensor([[2, 0]] * 3),
        num_beams=4, do_sample=False, max_new_tokens=8, length_penalty=penalty, no_repeat_ngram_size=no_repeat,
        early_stopping=True, suppress_tokens=[0, 1],
    )[:, 2:]  # fmt: skip
    how = Search(4, max_tokens=8, length_penalty=penalty, no_repeat=no_repeat)
    marks = Marks((2, 0), eos=2, pad=1, never=(0, 1))
    ours = beam(BartDecoder(model, 16).eval(), frames, lengths, marks, how)
    assert [ids.tolist() for ids in ours.ids_BL] == theirs.tolist()


def test_captions_end_where_positions_do() -> None:
    decoder = ScratchDecoder.auden(9, 8, width=16, num_layers=1, num_heads=4, max_positions=5).eval()
    with torch.no_grad():
        decoder.project.weight[1] = 0
    for num_beams in (1, 2):
        found = search(decoder, *_clips(2), MARKS, Search(num_beams, max_tokens=40))
        assert found.ids_BL.shape[1] <= 4


def test_a_decoder_in_training_is_refused() -> None:
    with pytest.raises(AssertionError, match="eval"):
        greedy(_decoder().train(), *_clips(1), MARKS, Search())
