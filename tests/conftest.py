"""Small true sounds made by arithmetic, and the place of the real ones."""

import io
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest
import soundfile

if TYPE_CHECKING:
    from tests.loopback_hub.hub import LoopbackHub

Samples = npt.NDArray[np.float32]


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Ctrl-C reaches what tests start also where a script runs them behind it: shells let such jobs ignore it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def sine() -> Callable[..., Samples]:
    """A tone: `sine(frequency, seconds, rate, amplitude)`."""

    def make(
        frequency: float = 440.0, seconds: float = 1.0, rate: int = 16_000, amplitude: float = 0.5
    ) -> Samples:
        time = np.arange(round(seconds * rate)) / rate
        return (amplitude * np.sin(2 * np.pi * frequency * time)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def melody() -> Callable[..., Samples]:
    """Tones that begin and fade in an order drawn from `seed`, over faint noise: no two seeds sound alike."""

    def make(seed: int, seconds: float = 5.0, rate: int = 16_000) -> Samples:
        random = np.random.default_rng(seed)
        sound = 0.002 * random.standard_normal(round(seconds * rate))
        for start in np.cumsum(random.uniform(0.05, 0.3, round(seconds * 5))):
            at = round(start * rate)
            time = np.arange(min(rate // 2, len(sound) - at)) / rate if at < len(sound) else np.empty(0)
            pitch = 200 * 2 ** random.uniform(0, 4)
            for overtone in (1, 2, 3):
                wave = np.sin(2 * np.pi * pitch * overtone * time) / overtone
                sound[at : at + len(time)] += 0.15 * random.uniform(0.3, 1) * np.exp(-time * 6) * wave
        return np.clip(sound, -1, 1).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def audio_bytes() -> Callable[..., bytes]:
    """Samples as the content of a file: `audio_bytes(samples, rate, container, subtype, **options)`."""

    def make(
        samples: npt.NDArray[Any],
        rate: int = 16_000,
        container: str = "WAV",
        subtype: str = "PCM_16",
        **options: Any,
    ) -> bytes:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples, rate, format=container, subtype=subtype, **options)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def ast_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an audio classifier like AST, but tiny and random: 10.24 s in, the 527 classes of AudioSet out."""
    import torch
    import transformers

    from captionstew.enrich.ontology import ontology

    labels = dict(enumerate(ontology().classes))
    config = transformers.ASTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48, frequency_stride=16,
        time_stride=16, id2label=labels,
        label2id={name: place for place, name in labels.items()},
    )  # fmt: skip
    random = torch.Generator().manual_seed(7)
    model = transformers.ASTForAudioClassification(config)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            parameter.data = torch.randn(parameter.shape, generator=random) * (
                0.5 if "classifier" in name else 0.3
            )
    model.classifier.dense.bias.data -= 5.0  # most classes are absent
    folder = tmp_path_factory.mktemp("ast")
    model.save_pretrained(folder)
    transformers.ASTFeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder named `vicuna-tiny` with Llama's architecture, random weights and a context of 512 tokens.

    Its tokenizer was trained on a few sentences and has no chat template, as Vicuna's has none.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("models") / "vicuna-tiny"
    folder.mkdir()
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1024,
        special_tokens=["<unk>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    things = ("a dog barks", "rain falls", "an engine starts", "birds sing", "a man speaks", "a siren wails")
    tokenizer.train_from_iterator(
        [f"{one} while {two} near {three}" for one in things for two in things for three in things], trainer
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    context = 512
    facts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": context,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(facts), encoding="utf-8")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1024, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=4, max_position_embeddings=context, bos_token_id=1, eos_token_id=2,
        tie_word_embeddings=False,
    )  # fmt: skip
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real audio and annotations beside the repository; tests that need it are skipped without."""
    folder = Path(__file__).parents[1].parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip(f"the real audio is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of reference inputs and outputs beside the repository; parity tests are skipped without."""
    folder = Path(__file__).parents[1].parent / "shared" / "golden"
    if not folder.is_dir():
        pytest.skip(f"the reference data is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def hub_server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[LoopbackHub]":
    """The one Hub of a run of tests."""
    pytest.importorskip("aiohttp", reason="the Hub of the tests needs aiohttp")
    from tests.loopback_hub.hub import LoopbackHub

    hub = LoopbackHub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.close()


@pytest.fixture
def hub(hub_server: "LoopbackHub", monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "LoopbackHub":
    """A small true Hub, which is the Hub for this process while the test runs: by LFS, as somebody who may write.

    `hub.environment(home)` is for clients in processes of their own, by Xet unless asked otherwise.
    """
    pytest.importorskip("huggingface_hub", reason="the Hub of the tests is for huggingface_hub")
    hub_server.forget()
    hub_server.enter(monkeypatch, tmp_path / "hub-home")
    return hub_server


@pytest.fixture(scope="session")
def captions_of() -> Callable[[Path, Path], Path]:
    """A captions release of a build: `captions_of(build, folder)` has its rows without audio, manifest and recipe."""
    from captionstew.schema import schema
    from captionstew.shards.layout import parse_shard, shard_path
    from captionstew.shards.manifest import read_manifest, write_manifest
    from captionstew.shards.write import write_shard

    def make(build: Path, folder: Path) -> Path:
        manifest, contract, shards = read_manifest(build), schema("caption.v1").arrow(), []
        for file in manifest.files:
            name = parse_shard(file.path)
            assert name
            path = folder / shard_path("captions", name.corpus, name.split, name.number, name.count)
            rows = pq.read_table(build / file.path, columns=contract.names)
            shards.append(write_shard(path, [rows.cast(contract)], "caption.v1"))
        write_manifest(folder, shards, recipe=manifest.recipe, recipe_digest=manifest.recipe_digest,
                       accounting=manifest.accounting)  # fmt: skip
        (folder / "recipe.json").write_bytes((build / "recipe.json").read_bytes())
        return folder

    return make
