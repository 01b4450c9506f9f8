"""GradCache against the plain loss, alone and by real gloo processes."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from torch import Tensor, nn

from captionstew.train.encoders.encoder import Encoder
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.grad_cache import Chunk, grad_cache_step
from captionstew.train.objectives.objective import Loss, Text
from captionstew.train.ranks import average_gradients
from captionstew.train.text.tokens import Tokens, train_tokens
from captionstew.train.text.tower import TextTower

CAPTIONS = [
    "a dog barks", "rain falls on a roof", "a dog barks", "birds sing while a man talks",
    "a man talks", "a car passes", "birds sing",
]  # fmt: skip
SIZES = [3, 1, 3]


class Frames(Encoder):
    """A linear layer with dropout."""

    width = 8
    frame_rate = 100.0

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.layer, self.dropout = nn.Linear(5, 8), nn.Dropout(dropout)

    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        return audio_BS.view(len(audio_BS), -1, 5), lengths_B // 5

    def forward(self, features_BTF: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        return self.dropout(self.layer(features_BTF)), lengths_B


class Words(TextTower):
    """Each token by itself, with dropout; needs no transformers, whose import would take every process seconds."""

    def __init__(self, vocab_size: int, dropout: float) -> None:
        nn.Module.__init__(self)
        self.width, self.vocab_size, self.max_length = 16, vocab_size, 0
        self.words, self.dropout = nn.Embedding(vocab_size, 16), nn.Dropout(dropout)

    def forward(self, text: Text) -> tuple[Tensor, Tensor]:
        mask_BL = text.mask_BL()
        hidden_BLD = self.dropout(self.words(text.ids_BL))
        return hidden_BLD.cumsum(1), mask_BL


def made(encoder: Encoder, folder: Path, dropout: float) -> Contrastive:
    torch.manual_seed(2)
    tokens = Tokens(folder, max_length=12)
    return Contrastive(encoder.width, Words(tokens.size, dropout), tokens, embedding=8, norm_weight=0.5)


def chunks(objective: Contrastive, num_times: int = 6, num_bands: int = 5) -> list[Chunk]:
    features = torch.randn(7, num_times, num_bands, generator=torch.Generator().manual_seed(1))
    lengths = num_times - torch.arange(7) % 4
    parts = zip(torch.split(features, SIZES), torch.split(lengths, SIZES), strict=True)
    captions = iter(CAPTIONS)
    return [(f, n, objective.tokenize([next(captions) for _ in n])) for f, n in parts]


def plain_step(encoder: Encoder, objective: Contrastive, batches: Sequence[Chunk]) -> Loss:
    """The slow and obvious twin: one graph over all chunks."""
    audio = [objective_side(encoder, objective, batch) for batch in batches]
    keys = torch.cat([objective.keys(text) for _, _, text in batches])
    loss = objective.match(torch.cat([a for a, _ in audio]), torch.cat([t for _, t in audio]), keys)
    torch.autograd.backward([loss.total])
    return loss


def objective_side(encoder: Encoder, objective: Contrastive, batch: Chunk) -> tuple[Tensor, Tensor]:
    return objective.embed_audio(*encoder(batch[0], batch[1])), objective.embed_text(batch[2])


def gradients(*modules: nn.Module) -> dict[str, Tensor]:
    return {
        f"{i}.{n}": p.grad
        for i, m in enumerate(modules)
        for n, p in m.named_parameters()
        if p.grad is not None
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_tokens(CAPTIONS, tmp_path_factory.mktemp("tokens"), 80)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradients_equal_those_of_the_plain_loss_with_and_without_dropout(
    dropout: float, folder: Path
) -> None:
    encoder = Frames(dropout)
    objective = made(encoder, folder, dropout)
    found = []
    for step in (plain_step, grad_cache_step):
        encoder.zero_grad()
        objective.zero_grad()
        torch.manual_seed(7)
        loss = step(encoder, objective, chunks(objective))
        found.append((loss.total.detach(), gradients(encoder, objective), torch.rand(3)))
    torch.testing.assert_close(found[1][0], found[0][0])
    assert len(found[0][1]) == len([*encoder.parameters(), *objective.parameters()])
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-5, atol=1e-6)
    assert torch.equal(found[0][2], found[1][2])  # what is drawn next does not know of the second pass


def test_an_encoders_own_randomness_is_replayed(folder: Path) -> None:
    from captionstew.train.encoders.zipformer.config import ZipformerConfig
    from captionstew.train.encoders.zipformer.model import Zipformer

    encoder = Zipformer(ZipformerConfig(
        downsampling=(1, 2), num_layers=(1, 1), widths=(16, 24), feed_forward=(24, 24), num_heads=(2, 2),
        kernels=(7, 7), unmasked=(12, 16),
    ))  # fmt: skip
    objective = made(encoder, folder, 0.1)
    found = []
    for step in (plain_step, grad_cache_step):
        encoder.zero_grad()
        objective.zero_grad()
        encoder.chance.reseed(3)
        torch.manual_seed(7)
        loss = step(encoder, objective, chunks(objective, 60, 80))
        found.append((loss.total.detach(), gradients(encoder, objective)))
    torch.testing.assert_close(found[1][0], found[0][0])
    torch.testing.assert_close(found[1][1], found[0][1], rtol=1e-4, atol=1e-5)


def test_the_loss_scale_multiplies_gradients_and_not_the_loss(folder: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    once = grad_cache_step(encoder, objective, chunks(objective)), gradients(encoder, objective)
    encoder.zero_grad()
    objective.zero_grad()
    scaled = grad_cache_step(encoder, objective, chunks(objective), scale=8.0), gradients(encoder, objective)
    assert torch.equal(once[0].total, scaled[0].total)
    torch.testing.assert_close({name: 8 * one for name, one in once[1].items()}, scaled[1])


def test_autocast_leaves_no_weight_without_gradient(folder: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    with torch.autocast("cpu", torch.bfloat16):
        grad_cache_step(encoder, objective, chunks(objective))
    assert all(p.grad is not None for p in [*encoder.parameters(), *objective.parameters()])


@pytest.mark.parametrize("side", ["audio", "text"])
def test_a_frozen_side_is_left_alone(side: str, folder: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    frozen = {
        "audio": [encoder, objective.audio_projection],
        "text": [objective.tower, objective.text_projection],
    }
    for module in frozen[side]:
        module.requires_grad_(False)
    loss = grad_cache_step(encoder, objective, chunks(objective))
    assert all(p.grad is None for module in frozen[side] for p in module.parameters())
    other = {"audio": objective.text_projection, "text": objective.audio_projection}[side]
    assert all(p.grad is not None for p in other.parameters())
    assert not loss.total.requires_grad


def test_no_graph_of_more_than_a_chunk_is_alive_at_a_time(folder: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    alive = most = 0

    def count(change: int) -> None:
        nonlocal alive, most
        alive += change
        most = max(most, alive)

    def num_clips(saved: Tensor) -> int:
        return (
            saved.numel() // 30 if saved.shape[-1:] == (5,) else 0
        )  # what the encoder keeps of its features

    def pack(saved: Tensor) -> Tensor:
        count(num_clips(saved))
        return saved

    def unpack(saved: Tensor) -> Tensor:
        count(-num_clips(saved))
        return saved

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        grad_cache_step(encoder, objective, chunks(objective))
    assert most == max(SIZES)
    assert alive == 0


def test_parts_count_over_all_chunks(folder: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    loss = grad_cache_step(encoder, objective, chunks(objective))
    assert (loss.weight, loss.parts["distinct"].item(), loss.parts["duplicates"].item()) == (7, 6, 1)


def work(number: int, folder: Path, out: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{out}/meeting", rank=number, world_size=2)
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    encoder.load_state_dict(torch.load(out / "encoder.pt"))
    batches = chunks(objective)
    grad_cache_step(encoder, objective, batches[:2] if number == 0 else batches[2:])
    average_gradients([*encoder.parameters(), *objective.parameters()])
    torch.save(gradients(encoder, objective), out / f"{number}.pt")
    dist.destroy_process_group()


def test_ranks_with_different_numbers_of_chunks_equal_one_process(folder: Path, tmp_path: Path) -> None:
    encoder = Frames(0.0)
    objective = made(encoder, folder, 0.0)
    plain_step(encoder, objective, chunks(objective))
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    processes.spawn(work, (folder, tmp_path), nprocs=2)  # type: ignore[attr-defined, no-untyped-call]
    for number in range(2):
        found = torch.load(tmp_path / f"{number}.pt")
        torch.testing.assert_close(found, gradients(encoder, objective), rtol=1e-5, atol=1e-6)
