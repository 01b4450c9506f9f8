"""What every form of export has in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from captionstew.interchange import audio_files
from captionstew.interchange.choose import Part, Plan
from captionstew.interchange.clips import Clip, exported
from captionstew.interchange.written import Made


@dataclass(frozen=True)
class Form(ABC):
    """A layout that other tools read; `audio` says where the sounds go: into tars, files of their own, or nowhere."""

    name: ClassVar[str]
    audios: ClassVar[tuple[str, ...]]  # that it knows; the first is the default
    version: ClassVar[int] = 1  # raise it when its files change

    audio: str

    @property
    def label(self) -> str:
        """What a ledger calls it."""
        return f"{self.name}-{self.audio}"

    @abstractmethod
    def write(self, part: Part, out: Path) -> list[Made]:
        """The files of one output shard are in `out`."""

    @abstractmethod
    def loading(self, plan: Plan) -> str:
        """Lines of Markdown: how to read what lies there."""

    def whole(self, part: Part, out: Path) -> bool:
        """Whether files of an output shard that no ledger knows one by one are there."""
        return self.audio != "files" or audio_files.is_whole(out, part)

    def clips(self, part: Part) -> Iterator[Clip]:
        """The clips of an output shard."""
        return exported(part.clips, part.numbers, audio=self.audio != "none")
