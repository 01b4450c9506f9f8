"""From a frozen run to its parts: data, encoder, objective, optimisers, validation, ready to step."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from captionstew.errors import RecipeError, StewError
from captionstew.shards.batching import Batching
from captionstew.shards.hold_out import held_out as held_apart
from captionstew.shards.mixture import Mixture
from captionstew.shards.read import Clips
from captionstew.shards.texts import Texts
from captionstew.train.augment import Augmentation
from captionstew.train.augment.augmentation import Step
from captionstew.train.augment.clips import NoiseClips
from captionstew.train.augment.noise import MixNoise
from captionstew.train.augment.spec_augment import SpecAugment
from captionstew.train.augment.wave import Gain
from captionstew.train.data import TrainingData
from captionstew.train.encoders.choose import encoder as chosen
from captionstew.train.encoders.encoder import Encoder
from captionstew.train.encoders.zipformer.model import Zipformer
from captionstew.train.folder import RunFolder
from captionstew.train.learner import Learner
from captionstew.train.loop import Seen, Trainer
from captionstew.train.movers import movers
from captionstew.train.objectives.captioning import Captioning
from captionstew.train.objectives.contrastive import Contrastive
from captionstew.train.objectives.hybrid import Hybrid
from captionstew.train.objectives.objective import Objective
from captionstew.train.optim.groups import freeze
from captionstew.train.ranks import rank, share, wait, world
from captionstew.train.run import Audio, Augment, Caption, Contrast, Data, Run
from captionstew.train.text.tokens import Kind, Tokens, train_tokens
from captionstew.train.text.tower import TextTower
from captionstew.train.validate import Validation

_MOST_LEARNT = 500_000  # captions that a tokeniser is learnt from


def assembled(
    run: Run, folder: RunFolder, data: str, device: torch.device, watch: Callable[[Seen], None]
) -> Trainer:
    """The trainer of a run on this rank, before any step; all ranks hold the same weights."""
    torch.manual_seed(run.seed)
    clips = Clips(data if "://" in data else Path(data))
    encoder = made_encoder(run.audio)
    objective = made_objective(run, encoder, folder, clips)
    learner = Learner(encoder, objective, made_augmentation(run.augment)).to(device)
    _freeze(run, learner)
    share([*learner.parameters(), *learner.buffers()])
    training = made_data(run, clips, objective, device)
    validate = None
    if run.validate_every:
        validate = Validation(held_out(run, clips, objective, device), folder, device)
    if run.compile:
        learner.encoder.compile(dynamic=True)
    return Trainer(run, folder, learner, movers(run, learner), training, validate, watch, device)


def made_encoder(audio: Audio) -> Encoder:
    """The encoder of a recipe, with the weights that it starts from."""
    encoder = chosen(audio.initial or audio.encoder)
    if isinstance(encoder, Zipformer):
        encoder.padding = audio.padding
        encoder.set_checkpointing(audio.checkpointing)
        encoder.chance.active = audio.regularize
    elif audio.checkpointing:
        hint = "--set audio.checkpointing=false"
        raise RecipeError(f"{type(encoder).__name__} has no activation checkpointing", hint=hint)
    return encoder


def made_objective(run: Run, encoder: Encoder, folder: RunFolder, clips: Clips) -> Objective:
    """The objective of a recipe; of two, both over one pass of the encoder."""
    made = [_objective(part, run, encoder, folder, clips) for part in run.parts]
    if len(made) == 1:
        return made[0]
    (contrast, caption), (contrastive, captioning) = run.parts, made
    assert isinstance(contrastive, Contrastive), f"{contrastive} comes first"
    assert isinstance(captioning, Captioning), f"{captioning} comes second"
    return Hybrid(contrastive, captioning, contrast.weight, caption.weight)


def made_data(run: Run, clips: Clips, objective: Objective, device: torch.device) -> TrainingData:
    """The endless stream of this rank's batches."""
    threads = run.data.threads
    return TrainingData(clips, batching(run), objective.tokenize, threads=threads, rank=rank(), world=world(),
                        device=device)  # fmt: skip


def held_out(run: Run, clips: Clips, objective: Objective, device: torch.device) -> TrainingData:
    """One pass over the clips that are not trained on; of this rank's share of its batches."""
    one = batching(run)
    split = run.data.split if run.data.hold_out else run.data.validation
    if split not in {file.split for file in clips.sidecar.files}:
        hint = "--set data.hold_out=0.02 keeps some recordings apart; --set validate_every=0 does without"
        raise StewError(f"there is no split {split!r} to validate on", where=str(clips.folder), hint=hint)
    held = replace(one, shuffle=False, held_out=bool(run.data.hold_out), split=split, limit=run.data.validation_clips,
                   mixture=Mixture())  # fmt: skip
    return TrainingData(clips, held, objective.tokenize, threads=run.data.threads, rank=rank(), world=world(),
                        device=device)  # fmt: skip


def batching(run: Run) -> Batching:
    """How the recipe's data becomes batches."""
    data: Data = run.data
    return Batching(
        seconds=data.seconds, squares=data.seconds * data.longest, longest=data.longest, shortest=data.shortest,
        captions=data.captions, split=data.split, corpora=data.corpora, hold_out=data.hold_out,
        mixture=Mixture(data.temperature, _weights(data.weights, "weights=clotho=2,audiocaps=1")),
        styles=_weights(data.styles, "styles=human=3,flap=1"), seed=run.seed,
    )  # fmt: skip


def made_augmentation(augment: Augment) -> Augmentation:
    """What is done to audio and features in training; noise is mixed in before the gain."""
    waves: list[Step] = []
    if augment.noise:
        bank = NoiseClips(Path(augment.noise))
        waves.append(MixNoise(bank, len(bank), augment.noise_share, *augment.noise_snr))
    if augment.gain:
        waves.append(Gain(-augment.gain, augment.gain))
    spectra: dict[str, tuple[Step, ...]] = {
        "none": (), "icefall": (SpecAugment(),), "flap": (SpecAugment.flap(),),
    }  # fmt: skip
    return Augmentation(tuple(waves), spectra[augment.spec])


def _weights(words: Sequence[str], name: str) -> dict[str, float]:
    """Weights as a recipe writes them, such as `clotho=2`; RecipeError for any that is none."""
    weights = {}
    for word in words:
        key, _, number = word.partition("=")
        try:
            weights[key] = float(number)
        except ValueError:
            raise RecipeError(f'the weight "{word}" is none', hint=f"--set data.{name}") from None
    return weights


def _freeze(run: Run, learner: Learner) -> None:
    """What the recipe freezes stays as it is; its patterns are of names within each part."""
    freeze(learner.encoder, run.audio.freeze)
    objective = learner.objective
    parts = [objective.contrastive, objective.captioning] if isinstance(objective, Hybrid) else [objective]
    for part, made in zip(run.parts, parts, strict=True):
        freeze(made, part.freeze)


def _objective(
    part: Contrast | Caption, run: Run, encoder: Encoder, folder: RunFolder, clips: Clips
) -> Objective:
    return _contrastive(part, run, encoder, folder, clips) if isinstance(part, Contrast) else _captioning(
        part, run, encoder, folder, clips
    )  # fmt: skip


def _contrastive(part: Contrast, run: Run, encoder: Encoder, folder: RunFolder, clips: Clips) -> Contrastive:
    if part.text == "scratch":
        name = _learnt(folder, clips, run, part.vocabulary, "wordpiece")
        tokens = Tokens(name, part.max_tokens, part.normalize)
        tower = TextTower.scratch(
            tokens.size, part.text_width, part.text_layers, part.text_heads, max_length=part.max_tokens,
            dropout=part.text_dropout,
        )  # fmt: skip
    else:
        tokens, tower = Tokens(part.text, part.max_tokens, part.normalize), TextTower(part.text)
    return Contrastive(
        encoder.width, tower, tokens, embedding=part.width, pooling=part.pooling, projection=part.projection,
        loss=part.loss, temperature=part.temperature, learnable=part.learn_temperature, duplicates=part.duplicates,
    )  # fmt: skip


def _captioning(part: Caption, run: Run, encoder: Encoder, folder: RunFolder, clips: Clips) -> Captioning:
    name = _learnt(folder, clips, run, part.vocabulary, "bpe") if part.text == "scratch" else part.text
    tokens = Tokens(name, part.max_tokens, part.normalize)
    share_, smooth = part.parallel_share, part.label_smoothing
    small = {
        "num_layers": part.layers,
        "num_heads": part.heads,
        "width": part.width,
        "feed_forward": 4 * part.width,
        "dropout": part.dropout,
    }
    fresh = part.decoder == "scratch"
    if part.style == "auden":
        return Captioning.auden(tokens, encoder.width, share_, smooth, **(small if fresh else {}))
    if part.style == "cappa":
        return Captioning.cappa(tokens, encoder.width, share_, smooth, **(small if fresh else {}))
    if not fresh:
        named = "facebook/bart-base" if part.decoder == "bart" else part.decoder
        return Captioning.bart(tokens, encoder.width, share_, smooth, pretrained=named)
    sizes = {
        "d_model": part.width, "decoder_layers": part.layers, "decoder_attention_heads": part.heads,
        "decoder_ffn_dim": 4 * part.width, "max_position_embeddings": max(1024, part.max_tokens + 8),
        "dropout": part.dropout, "attention_dropout": part.dropout, "activation_dropout": part.dropout,
    }  # fmt: skip
    return Captioning.bart(tokens, encoder.width, share_, smooth, pretrained=None, **sizes)


def _learnt(folder: RunFolder, clips: Clips, run: Run, size: int, kind: Kind) -> Path:
    """A tokeniser of the captions that are trained on, in the run's folder; learnt once, by rank 0."""
    place = folder.tokens / kind
    if rank() == 0 and not (place / "tokenizer.json").is_file():
        train_tokens(islice(_captions(clips, run), _MOST_LEARNT), place, size, kind)
    wait()
    return place


def _captions(clips: Clips, run: Run) -> Iterator[str]:
    """Of the corpora and the split that are trained on, without the recordings that are held out."""
    texts, data, found = Texts(clips), run.data, False
    kept = ~held_apart(clips, data.hold_out) if data.hold_out else np.ones(len(clips), bool)
    for numbers in [part for name in data.corpora or [""] for part in clips.ranges(name, data.split)]:
        for number in numbers:
            if kept[number]:
                found = True
                yield from texts[number]
    if not found:
        splits = sorted({file.split for file in clips.sidecar.files})
        hint = f"--set data.split=...: {', '.join(splits)}"
        raise StewError(
            f"there are no clips of the split {run.data.split!r}", where=str(clips.folder), hint=hint
        )
