"""The event detector: which model, and what it hears in clips of any length."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from captionstew.audio.codec import Samples
from captionstew.digest import digest
from captionstew.enrich.weights import WEIGHTS, called, revision_of
from captionstew.enrich.windows import Pooling, Scores, Window, news, pooled, windows
from captionstew.errors import RecipeError, StewError

if TYPE_CHECKING:
    from captionstew.enrich.taggers import Tagger

AST = "MIT/ast-finetuned-audioset-10-10-0.4593"
_GPU_BATCH = 64  # AST needs some 4 GB for it
_LEAST = 0.2  # seconds; shorter windows are padded with silence, for no model has a frame for nothing


@dataclass(frozen=True)
class Heard:
    """What one clip sounds like: scores (527,) of the whole, and of short windows with where their news begin, in s."""

    key: str
    scores: Scores
    timeline: tuple[tuple[float, Scores], ...] = ()


@dataclass(frozen=True)
class Detector:
    """An audio-classification model of transformers, or our Zipformer tagger, by name on the Hub or by path.

    Clips longer than the model hears are cut into windows, whose scores are `pooling`ed. With `timeline`, windows of
    2 s every second are judged as well, for the order of events. `precision`, `device` and `batch_size` (0 is one
    clip on the CPU, 64 on a GPU) say how it is computed; only the first can change a score by more than rounding.
    """

    model: str = AST
    revision: str = ""  # of a name on the Hub; a commit makes it what it was
    pooling: Pooling = "max"
    timeline: bool = False
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    device: str = "auto"
    batch_size: int = 0

    window: float = 2.0  # seconds, of the timeline
    hop: float = 1.0

    def identity(self) -> str:
        """A hash of the weights and of whatever else changes scores: equal identities hear the same."""
        short = (self.window, self.hop) if self.timeline else ()
        return digest(revision_of(self.located()), self.pooling, short, self.precision)

    @property
    def label(self) -> str:
        """As provenance names it: the model, and the commit or the hash of its files."""
        return f"{called(self.model)}@{revision_of(self.located())}"

    def located(self) -> Path:
        """The model's folder or file on this machine, fetched from the Hub if need be; RecipeError if there is none."""
        path = Path(self.model).expanduser()
        return path.resolve() if path.exists() else _fetched(self.model, self.revision)

    def check(self) -> None:
        """StewError where the model cannot be had, or lacks its weights, before any clip is heard."""
        for name in ("torch", "transformers"):
            if find_spec(name) is None:
                hint = "pip install 'captionstew[enrich]', or set model to '' for the corpora's own labels"
                raise StewError(f"the detector needs {name}, which is not installed", hint=hint)
        path = self.located()
        if path.is_dir() and not any(any(path.rglob(pattern)) for pattern in WEIGHTS):
            hint = (
                "choose a model with safetensors, .bin or .pt files; '' takes the corpora's own labels alone"
            )
            raise RecipeError(f"{self.model} holds no weights", where=str(path), hint=hint)

    def ears(self) -> "Ears":
        """The model loaded, once per process; StewError where it cannot be used."""
        self.check()
        return _ears(self, revision_of(self.located()))


@dataclass
class _Clip:
    """A clip some of whose windows are still to be heard."""

    key: str
    whole: list[Window]
    short: list[Window]
    rate: int
    found: dict[int, Scores] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        return len(self.found) == len(self.whole) + len(self.short)

    def heard(self, how: Pooling) -> Heard:
        count = len(self.whole)
        begins = [start / self.rate for start in news(self.short)] if self.short else []
        timeline = [(begin, self.found[count + place]) for place, begin in enumerate(begins)]
        return Heard(self.key, pooled(np.stack([self.found[n] for n in range(count)]), how), tuple(timeline))


class Ears:
    """A loaded detector. A clip's scores are the same alone and in any company (rounding apart, on a GPU)."""

    def __init__(self, detector: Detector, tagger: "Tagger") -> None:
        self.detector, self.tagger = detector, tagger
        self.on_gpu = tagger.device.type != "cpu"
        self.batch_size = detector.batch_size or (_GPU_BATCH if self.on_gpu else 1)

    @property
    def sample_rate(self) -> int:
        """Of the audio that the model wants."""
        return self.tagger.sample_rate

    def __call__(self, clips: Iterable[tuple[str, Samples]]) -> Iterator[Heard]:
        """What is heard in each clip of mono samples in -1..1 at `sample_rate`; in no particular order."""
        waiting: dict[int, list[tuple[_Clip, int, Samples]]] = {}
        for key, samples in clips:
            clip = self._clip(key, samples)
            for number, window in enumerate([*clip.whole, *clip.short]):
                piece = _filled(samples[window.start : window.stop], round(_LEAST * self.sample_rate))
                queue = waiting.setdefault(0 if self.tagger.mixes else len(piece), [])
                queue.append((clip, number, piece))
                if len(queue) == self.batch_size:
                    yield from self._judge(queue)
        for queue in waiting.values():
            yield from self._judge(queue)

    def _clip(self, key: str, samples: Samples) -> _Clip:
        detector, rate = self.detector, self.sample_rate
        size, hop = round(detector.window * rate), round(detector.hop * rate)
        short = windows(len(samples), size, hop) if detector.timeline else []
        return _Clip(key, windows(len(samples), self.tagger.longest), short, rate)

    def _judge(self, queue: list[tuple[_Clip, int, Samples]]) -> Iterator[Heard]:
        """All that waits, as one batch of the usual size: products of one shape are rounded alike."""
        if not queue:
            return
        pieces = [piece for _, _, piece in queue]
        pieces += [np.zeros_like(pieces[0])] * (self.batch_size - len(pieces))
        for (clip, number, _), scores in zip(queue, self.tagger.scores(pieces), strict=False):
            clip.found[number] = scores
            if clip.is_done:
                yield clip.heard(self.detector.pooling)
        queue.clear()


@lru_cache(maxsize=1)
def _ears(detector: Detector, _revision: str) -> Ears:
    from captionstew.enrich.taggers import load

    return Ears(detector, load(detector.located(), detector.device, detector.precision))


def _fetched(name: str, revision: str) -> Path:
    try:
        from captionstew.train.encoders.hub import fetched

        options = {"revision": revision} if revision else {}
        folder = fetched(name, ["*.json"], **options)
        for pattern in WEIGHTS:
            folder = fetched(name, [pattern], **options)
            if any(folder.rglob(pattern)):
                return folder
    except ModuleNotFoundError as error:
        hint = "pip install 'captionstew[enrich]'"
        raise StewError(f"{error.name} is not installed, so no model can be fetched", hint=hint) from error
    except StewError as error:
        hint = "give a model's name on the Hub or its folder; '' takes the corpora's own labels alone"
        raise RecipeError(f"there is no detector {name!r}", cause=error.cause, hint=hint) from error
    raise RecipeError(f"{name} holds no weights", hint="choose a model with safetensors, .bin or .pt files")


def _filled(samples: Samples, least: int) -> Samples:
    """The samples, with silence behind them up to `least`."""
    if len(samples) >= least:
        return samples
    full: npt.NDArray[np.float32] = np.zeros(least, np.float32)
    full[: len(samples)] = samples
    return full
