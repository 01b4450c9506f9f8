"""Shard: the files that people load."""

from dataclasses import dataclass

from captionstew.errors import RecipeError
from captionstew.pipeline.stage import Sink


@dataclass(frozen=True)
class Shard(Sink):
    """Parquet of about `megabytes` each, ordered by clip id, one folder per tier and corpus, in clip.v1.

    The tier `captions` holds the same clips without audio, in caption.v1.
    """

    def __post_init__(self) -> None:
        if not set(self.tiers) <= {"audio", "captions"} or "audio" not in self.tiers:
            raise RecipeError(
                f"Shard has no tiers {self.tiers}", hint='use ("audio",) or ("audio", "captions")'
            )
        if self.megabytes < 1:
            raise RecipeError(
                f"Shard cannot make files of {self.megabytes} MB", hint="give 1 or more; 500 is usual"
            )
