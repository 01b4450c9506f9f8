"""Other recordings mixed into a batch of audio."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from captionstew.errors import StewError
from captionstew.train.augment.draws import below, uniform

Samples = npt.NDArray[np.int16] | npt.NDArray[np.float32]
Bank = Callable[[int], Samples]  # a recording by number, at the batch's sample rate

_APPLY, _WHICH, _PLACE, _RATIO = range(4)  # what is drawn
_PLACES = (1 << 31) - 1  # a place is drawn before the recording's length is known
_FULL_SCALE = np.float32(2.0**-15)


@dataclass(frozen=True)
class MixNoise:
    """Adds one of `num_noises` recordings to a share `probability` of the items, `lowest` to `highest` dB below them.

    A longer recording is cut at a drawn place, a shorter one repeated from a drawn place on; levels are those of the
    clip and of the part that it gets, and silence gets none. Defaults are icefall's for AudioSet. Recordings are
    fetched on the host: with seeds on an accelerator each call waits for it, once.
    """

    bank: Bank
    num_noises: int
    probability: float = 0.5
    lowest: float = 10.0
    highest: float = 20.0

    @torch.no_grad()
    def __call__(self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor) -> Tensor:
        """The batch, float32 in -1..1, with noise; padding stays as it is. StewError for an empty recording."""
        drawn_B4 = torch.cat(
            [
                (uniform(seeds_B, _APPLY) < self.probability).long(),
                below(seeds_B, _WHICH, self.num_noises),
                below(seeds_B, _PLACE, _PLACES),
                lengths_B.to(seeds_B.device)[:, None],
            ],
            dim=1,
        ).tolist()
        mixed = [(row, *rest) for row, (chosen, *rest) in enumerate(drawn_B4) if chosen]
        if not mixed:
            return audio_BS
        noise_KS = torch.zeros(len(mixed), audio_BS.shape[1])
        for noise_S, (_, which, place, length) in zip(noise_KS, mixed, strict=True):
            noise_S[:length] = torch.from_numpy(self._part(which, place, length))
        rows_K = torch.tensor([row for row, *_ in mixed]).to(audio_BS.device)
        noise_KS = noise_KS.to(audio_BS.device)
        return audio_BS.index_add(
            0, rows_K, noise_KS * self._gain_K1(audio_BS, lengths_B, seeds_B, rows_K, noise_KS)
        )

    def _gain_K1(
        self, audio_BS: Tensor, lengths_B: Tensor, seeds_B: Tensor, rows_K: Tensor, noise_KS: Tensor
    ) -> Tensor:
        lengths_B, seeds_B = (each.to(audio_BS.device)[rows_K] for each in (lengths_B, seeds_B))
        inside_KS = torch.arange(audio_BS.shape[1], device=audio_BS.device) < lengths_B[:, None]
        clip_K1 = audio_BS[rows_K].masked_fill(~inside_KS, 0).square().sum(1, keepdim=True)
        noise_K1 = noise_KS.square().sum(1, keepdim=True)
        decibels_K1 = self.lowest + (self.highest - self.lowest) * uniform(seeds_B, _RATIO)
        gain_K1 = (clip_K1 / noise_K1 * 10 ** (-decibels_K1 / 10)).sqrt()
        return gain_K1.masked_fill(noise_K1 == 0, 0)

    def _part(self, which: int, place: int, length: int) -> npt.NDArray[np.float32]:
        noise = self.bank(which)
        if not len(noise):
            raise StewError(f"Noise recording {which} is empty", hint="leave it out of the noise corpus")
        places = len(noise) - length + 1 if len(noise) >= length else len(noise)
        start = place * places // _PLACES
        part = np.take(noise, np.arange(start, start + length), mode="wrap")
        scale = _FULL_SCALE if noise.dtype == np.int16 else np.float32(1)
        scaled: npt.NDArray[np.float32] = np.multiply(part, scale, dtype=np.float32)
        return scaled
