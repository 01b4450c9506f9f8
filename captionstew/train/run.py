"""What a training recipe writes down: a frozen run, every choice of it a field. Nothing here needs torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from captionstew.errors import RecipeError

Pooling = Literal["mean", "max", "mean+max", "attention"]
Normalize = Literal["none", "lower", "auden"]


@dataclass(frozen=True)
class Audio:
    """The audio encoder: a preset, `vit-b`, `pretrained:NAME`, or a checkpoint to start from.

    `rate_factor` scales its learning rate, `freeze` lists patterns of parameter names that stay as they are.
    """

    encoder: str = "zipformer-m"
    initial: str = ""  # a checkpoint, an exported folder or a Hub name to take the weights from
    padding: Literal["exact", "icefall"] = "exact"
    rate_factor: float = 1.0
    freeze: tuple[str, ...] = ()
    checkpointing: bool = False  # recompute activations: less memory for a third more work
    regularize: bool = True  # Zipformer's dropouts, skips, balancers and whiteners


@dataclass(frozen=True)
class Contrast:
    """Symmetric InfoNCE against a text tower (CaptionStew paper, §3.2; Radford et al. 2021).

    `text` is a name or folder for transformers, or `scratch`: a small BERT and word pieces of the data's captions,
    in the sizes `text_width` and so on.
    """

    text: str = "bert-base-uncased"
    text_width: int = 256
    text_layers: int = 4
    text_heads: int = 4
    text_dropout: float = 0.1
    vocabulary: int = 8_000
    max_tokens: int = 128
    normalize: Normalize = "none"
    width: int = 1024
    pooling: Pooling = "mean"
    projection: Literal["mlp", "linear"] = "mlp"
    loss: Literal["infonce", "siglip"] = "infonce"
    temperature: float = 0.07
    learn_temperature: bool = True
    duplicates: Literal["positives", "mask", "ignore"] = "positives"
    rate_factor: float = 1.0
    freeze: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Caption:
    """Captions from frames, part word by word, part all at once (CaptionStew paper, §3.3; CapPa, §3).

    `decoder` is `bart` (transformers' BART-base, or a folder), or `scratch`: BART's layout in a size of its own.
    """

    decoder: str = "bart"
    text: str = "facebook/bart-base"  # the tokeniser; `scratch` learns one from the data's captions
    style: Literal["bart", "auden", "cappa"] = "bart"
    width: int = 256  # of a decoder from scratch, as the three below
    layers: int = 3
    heads: int = 4
    dropout: float = 0.1
    vocabulary: int = 8_000
    max_tokens: int = 128
    normalize: Normalize = "none"
    parallel_share: float = 0.75
    label_smoothing: float = 0.1
    rate_factor: float = 1.0
    freeze: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True)
class Data:
    """How shards become batches: `seconds` of padded audio per rank and step, lengths alike, corpora mixed."""

    seconds: float = 640.0
    shortest: float = 1.0
    longest: float = 30.0
    split: str = "train"
    corpora: tuple[str, ...] = ()  # all of the build
    captions: Literal["one", "all"] = "one"
    temperature: float = 1.0  # 1: corpora by their hours; above: small ones more often
    weights: tuple[str, ...] = ()  # or by weights of every corpus: "audiocaps=2", "clotho=1"
    styles: tuple[
        str, ...
    ] = ()  # odds of a caption by its style or prompt, 1 if not named: "human=3", "flap=1"
    validation: str = "val"  # the split that is passed now and then
    hold_out: float = 0.0  # else: this share of the clips, by hash of their ids, is kept out of training
    validation_clips: int = 2_000
    threads: int = 0  # that read and decode; 0 is one per core, four at most

    def __post_init__(self) -> None:
        _least(self, 0, "shortest", "threads")
        _least(self, 1, "validation_clips")
        if not 0 <= self.hold_out < 1:
            hint = "choose a share from 0 to less than 1, such as 0.1"
            raise RecipeError(f"data.hold_out is {self.hold_out:g}", hint=hint)
        if self.styles and self.captions == "all":
            hint = "--set data.captions=one"
            raise RecipeError("data.styles are the odds of one caption, and data.captions is all", hint=hint)


@dataclass(frozen=True)
class Augment:
    """What is done to audio and features in training, from seeded draws."""

    spec: Literal["icefall", "flap", "none"] = "icefall"
    gain: float = 0.0  # dB at most, up or down
    noise: str = ""  # a build folder whose clips are mixed in
    noise_share: float = 0.5  # icefall's MUSAN settings
    noise_snr: tuple[float, ...] = (10.0, 20.0)


@dataclass(frozen=True)
class Optimiser:
    """How parameters move. ScaledAdam with Eden for Zipformer; AdamW with a cosine for transformers."""

    kind: Literal["scaled-adam", "adamw"] = "scaled-adam"
    rate: float = 0.045
    schedule: Literal["eden", "eden2", "eden3", "cosine", "constant"] = "eden3"
    batches: float = 7_500.0  # Eden's B
    epochs: float = 3.5  # Eden's E
    steps_per_epoch: int = 10_000  # Eden3; Auden's value for CaptionStew 400k
    warmup: int = 500
    text_kind: Literal["", "scaled-adam", "adamw"] = ""  # of the text parts; the same if empty
    text_rate: float = 0.0  # of the text parts where their optimiser differs
    weight_decay: float = 0.0
    betas: tuple[float, ...] = ()  # the optimiser's own if empty
    clip: float = 0.0  # AdamW: norm to clip at; ScaledAdam clips by its own history


@dataclass(frozen=True)
class Run:
    """A training run, whole: the same run on the same build gives the same curve."""

    name: str
    about: str
    objective: Contrast | Caption | tuple[Contrast, Caption]
    audio: Audio = field(default_factory=Audio)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    optimiser: Optimiser = field(default_factory=Optimiser)
    steps: int = 600_000
    accumulate: int = 1
    cached: bool = False  # contrastive: one loss over all accumulated batches (GradCache, Gao et al. 2021)
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    seed: int = 0
    average_every: int = 200  # steps between updates of the averaged weights; 0: none
    log_every: int = 50
    validate_every: int = 2_000
    save_every: int = 2_000  # 0: at the end only
    keep: int = 3  # checkpoints; 0: all
    compile: bool = False
    wandb: bool = False  # send the curves to Weights & Biases as well

    def __post_init__(self) -> None:
        _least(self, 1, "steps", "accumulate")
        _least(self, 0, "average_every", "log_every", "validate_every", "save_every", "keep")
        if self.cached and [type(part) for part in self.parts] != [Contrast]:
            hint = "--set cached=false; accumulate alone averages the batches' gradients"
            raise RecipeError(f"{self.name} has no contrastive loss alone, which `cached` is for", hint=hint)

    def plain(self) -> Mapping[str, Any]:
        """The run as JSON takes it."""
        return asdict(self)

    @property
    def parts(self) -> tuple[Contrast | Caption, ...]:
        """The objectives; more than one share one pass of the encoder."""
        return self.objective if isinstance(self.objective, tuple) else (self.objective,)


def _least(part: Any, least: int, *names: str) -> None:
    """RecipeError for a field that is less than it can be."""
    for name in names:
        if getattr(part, name) < least:
            owner = "data." if isinstance(part, Data) else ""
            message = f"{owner}{name} is {getattr(part, name):g}"
            raise RecipeError(message, hint=f"choose {least} or more: --set {owner}{name}=...")
