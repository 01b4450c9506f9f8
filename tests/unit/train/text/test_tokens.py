import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch

from captionstew.errors import StewError
from captionstew.train.text.tokens import Kind, Tokens, train_tokens

CAPTIONS = [
    "A dog barks twice, then a car passes.",
    "Rain falls on a tin roof",
    "a cat meows softly while music plays in a café",
    "Birds sing; a dog barks far away",
] * 3
KINDS: tuple[Kind, ...] = ("wordpiece", "bpe")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    out = tmp_path_factory.mktemp("tokens")
    return {kind: train_tokens(CAPTIONS, out / kind, 400, kind) for kind in KINDS}


def test_captions_are_padded_on_the_right_to_the_longest(folders: dict[Kind, Path]) -> None:
    tokens = Tokens(folders["wordpiece"])
    text = tokens(CAPTIONS[:4])
    assert text.ids_BL.shape == (4, max(text.lengths_B))
    assert text.ids_BL.dtype == text.lengths_B.dtype == torch.int64
    assert (text.ids_BL == tokens.pad).eq(~text.mask_BL()).all()
    assert text.captions == tuple(CAPTIONS[:4])
    assert text.num_truncated == 0
    assert text.ids_BL[:, 0].eq(tokens.cls).all()


@pytest.mark.parametrize("kind", KINDS)
def test_long_captions_are_cut_before_the_end_token_and_counted(
    kind: Kind, folders: dict[Kind, Path]
) -> None:
    whole, cut = Tokens(folders[kind])(CAPTIONS[:3]), Tokens(folders[kind], max_length=9)(CAPTIONS[:3])
    tokens = Tokens(folders[kind])
    assert cut.num_truncated == sum(whole.lengths_B > 9) > 0
    for row, length, full in zip(cut.ids_BL, cut.lengths_B, whole.ids_BL, strict=True):
        assert length <= 9
        assert row[length - 1] == tokens.eos
        assert torch.equal(row[: length - 1], full[: length - 1])


@pytest.mark.parametrize("kind", KINDS)
def test_ids_become_the_caption_again(kind: Kind, folders: dict[Kind, Path]) -> None:
    tokens = Tokens(folders[kind])
    for caption, row in zip(CAPTIONS, tokens(CAPTIONS).ids_BL, strict=True):
        if kind == "bpe":
            assert tokens.decode(row) == caption
        else:
            plain = caption.lower().replace("é", "e")
            assert tokens.decode(row.tolist()).replace(" ;", ";") == plain


def test_an_empty_batch_and_an_empty_caption_are_texts(folders: dict[Kind, Path]) -> None:
    tokens = Tokens(folders["wordpiece"])
    assert tokens([]).ids_BL.shape == (0, 0)
    assert tokens([""]).ids_BL.tolist() == [[tokens.cls, tokens.eos]]


def test_threads_share_a_tokenizer(folders: dict[Kind, Path]) -> None:
    tokens = Tokens(folders["bpe"], max_length=7)
    expected = tokens(CAPTIONS).ids_BL
    with ThreadPoolExecutor(4) as pool:
        for text in pool.map(tokens, [CAPTIONS] * 40):
            assert torch.equal(text.ids_BL, expected)


def test_special_tokens_lie_where_bert_and_bart_have_them(folders: dict[Kind, Path]) -> None:
    bert, bart = (Tokens(folders[kind]) for kind in KINDS)
    assert (bert.pad, bert.cls, bert.bos, bert.eos, bert.mask) == (0, 2, 2, 3, 4)
    assert (bart.bos, bart.pad, bart.eos, bart.mask) == (0, 1, 2, bart.size - 1)
    assert bart.cls == bart.bos


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_captions_in_any_order_give_the_same_bytes(
    kind: Kind, folders: dict[Kind, Path], tmp_path: Path
) -> None:
    words = [
        "".join(letters)
        for letters in zip("abcdefgh" * 6, "hgfedcba" * 6, "éöab" * 12, "xyxy" * 12, strict=True)
    ]
    captions = [" ".join(words[i : i + 5]) for i in range(40)]
    shuffled = random.Random(1).sample(captions, len(captions))
    for name, order in (("a", captions), ("b", shuffled)):
        train_tokens(order, tmp_path / name, 350, kind)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_saved_tokenizer_is_the_same(folders: dict[Kind, Path], tmp_path: Path) -> None:
    tokens = Tokens(folders["wordpiece"], normalize="auden")
    again = Tokens(tokens.save(tmp_path / "saved"), normalize="auden")
    assert torch.equal(again(CAPTIONS).ids_BL, tokens(CAPTIONS).ids_BL)
    assert (again.size, again.pad, again.mask) == (tokens.size, tokens.pad, tokens.mask)


def test_transformers_reads_a_trained_tokenizer(folders: dict[Kind, Path]) -> None:
    from transformers import AutoTokenizer

    text = Tokens(folders["bpe"])(CAPTIONS[:3])
    theirs = AutoTokenizer.from_pretrained(str(folders["bpe"]))(
        CAPTIONS[:3], padding=True, return_tensors="pt"
    )
    assert torch.equal(theirs["input_ids"], text.ids_BL)
    assert torch.equal(theirs["attention_mask"].bool(), text.mask_BL())


def test_a_tokenizer_that_transformers_saved_is_read(folders: dict[Kind, Path], tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(str(folders["bpe"])).save_pretrained(tmp_path)
    tokens, again = Tokens(folders["bpe"]), Tokens(tmp_path)
    assert torch.equal(again(CAPTIONS).ids_BL, tokens(CAPTIONS).ids_BL)
    assert (again.size, again.pad, again.mask) == (tokens.size, tokens.pad, tokens.mask)


def test_settings_and_pickles_give_the_same_tokenizer(folders: dict[Kind, Path]) -> None:
    tokens = Tokens(str(folders["wordpiece"]), max_length=12, normalize="lower")
    assert Tokens(**tokens.settings()) == tokens
    assert torch.equal(pickle.loads(pickle.dumps(tokens))(CAPTIONS).ids_BL, tokens(CAPTIONS).ids_BL)


def test_normalised_captions_are_what_is_tokenised(folders: dict[Kind, Path]) -> None:
    plain, auden = Tokens(folders["bpe"]), Tokens(folders["bpe"], normalize="auden")
    assert torch.equal(auden(["A dog, barks."]).ids_BL, plain(["a dog barks"]).ids_BL)
    assert auden(["A dog, barks."]).captions == ("A dog, barks.",)


def test_an_unknown_name_without_network_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(StewError, match="nobody/nothing") as error:
        Tokens("nobody/nothing")
    assert "train_tokens" in error.value.hint


def test_a_role_that_a_tokenizer_lacks_is_explained(folders: dict[Kind, Path], tmp_path: Path) -> None:
    Tokens(folders["bpe"]).save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with pytest.raises(StewError, match="no mask token"):
        _ = Tokens(tmp_path).mask


def test_lengths_and_vocabularies_that_are_too_small_are_refused(
    folders: dict[Kind, Path], tmp_path: Path
) -> None:
    with pytest.raises(StewError, match="no room"):
        Tokens(folders["bpe"], max_length=2)
    with pytest.raises(StewError, match="characters alone") as error:
        train_tokens(CAPTIONS, tmp_path / "small", 20)
    assert "allow" in error.value.hint
    assert not (tmp_path / "small").exists()
