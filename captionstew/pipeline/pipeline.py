"""A pipeline: a name, the corpora it reads, and a readable list of stages."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import dropwhile, takewhile

from captionstew.digest import digest
from captionstew.errors import RecipeError
from captionstew.pipeline.stage import ClipStage, Sink, Stage, TableStage


@dataclass(frozen=True)
class Pipeline:
    """Stages in the order they run: tables (metadata), clips (audio, in one pass), tables again, and a sink.

    Order of `corpora` is rank: the first to know a clip owns it.
    """

    name: str
    corpora: tuple[str, ...]
    stages: tuple[Stage, ...]
    about: str = ""

    def __post_init__(self) -> None:
        kinds = ["".join("tcs"[(TableStage, ClipStage, Sink).index(_kind(stage))] for stage in self.stages)]
        order = kinds[0].lstrip("t").lstrip("c").lstrip("t")
        if order != "s" or "c" not in kinds[0] or not kinds[0].startswith("t"):
            raise RecipeError(
                f"{self.name}: stages must be tables, then clips, then tables, then one sink",
                cause=", ".join(f"{s.name} ({_kind(s).__name__})" for s in self.stages),
                hint="Read first, Probe to Encode together, Shard last: pipelines/sampler.py has them all",
            )
        names = [stage.name for stage in self.stages]
        if len(set(names)) != len(names):
            raise RecipeError(f"{self.name}: a stage stands twice", cause=", ".join(names))

    @property
    def before(self) -> tuple[TableStage, ...]:
        """The stages over metadata, before any audio is opened."""
        return tuple(takewhile(lambda s: isinstance(s, TableStage), self.stages))  # type: ignore[arg-type]

    @property
    def audio(self) -> tuple[ClipStage, ...]:
        """The stages that run clip by clip in one pass."""
        return tuple(stage for stage in self.stages if isinstance(stage, ClipStage))

    @property
    def after(self) -> tuple[TableStage, ...]:
        """The stages over metadata once the audio is known."""
        rest = list(dropwhile(lambda s: isinstance(s, TableStage), self.stages))
        return tuple(stage for stage in rest if isinstance(stage, TableStage))

    @property
    def sink(self) -> Sink:
        """What writes the shards."""
        last = self.stages[-1]
        assert isinstance(last, Sink)
        return last

    def identity(self) -> str:
        """A hash of name, corpora and stages with all their fields."""
        return digest(self.name, self.corpora, [stage.identity() for stage in self.stages])

    def with_stages(self, stages: Iterable[Stage]) -> "Pipeline":
        """The same pipeline with other stages."""
        return replace(self, stages=tuple(stages))


def _kind(stage: Stage) -> type[Stage]:
    for kind in (TableStage, ClipStage, Sink):
        if isinstance(stage, kind):
            return kind
    raise RecipeError(
        f"{stage!r} is not a stage", hint="use the classes of captionstew.stages, or subclass TableStage"
    )
