"""Page-locked memory for batches, from which a GPU copies beside other work."""

import threading
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from captionstew.audio.codec import Pcm
from captionstew.train.objectives.objective import Text


class Pinned:
    """Gives a loader's threads memory that torch keeps for itself until copies from it are done.

    May be used by many threads; each asks for the memory of one batch at a time.
    """

    def __init__(self, device: torch.device) -> None:
        self.device, self._mine = device, threading.local()

    def __call__(self, shape: tuple[int, int]) -> Pcm:
        """An int16 array of that shape, holding anything."""
        with torch.cuda.device(self.device):  # else each thread would begin by opening the first GPU
            self._mine.audio = torch.empty(shape, dtype=torch.int16, pin_memory=True)
        memory: Pcm = self._mine.audio.numpy()
        return memory

    def tensor(self, rows: int) -> Tensor:
        """The first rows of what this thread was given last, as the tensor whose copies torch keeps track of."""
        audio_BS: Tensor = self._mine.audio[:rows]
        del self._mine.audio
        return audio_BS

    def moved(self, tensor: Tensor) -> Tensor:
        """A copy of a small tensor."""
        with torch.cuda.device(self.device):
            return tensor.pin_memory()

    def moved_text(self, text: Text) -> Text:
        """The same text with all of its tensors here, those of texts inside it too."""
        moved: Mapping[str, Any] = {
            name: self.moved(value) if isinstance(value, Tensor) else self.moved_text(value)
            for name, value in ((field.name, getattr(text, field.name)) for field in fields(text))
            if isinstance(value, Tensor | Text)
        }
        return replace(text, **moved)
