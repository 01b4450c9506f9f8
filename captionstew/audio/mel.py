"""Log-mel spectrograms as Kaldi defines them: a padded batch of audio to a padded batch of frames.

The same mathematics in two forms: on the CPU, blocks of frames go through buffers that stay in the cache; elsewhere
the whole batch is one chain of tensor operations that never waits for the host. The tests hold the obvious form.
Both stand in this one file, long as it is, because they must change together.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

SILENCE = math.log(1e-10)  # what lhotse and icefall pad features with
AUDIOSET = (-4.2677393, 4.5689974)  # mean and standard deviation of its log-mels, as AudioMAE has them
_FLOOR = torch.finfo(torch.float32).eps  # of a mel power, as in Kaldi
_PREEMPHASIS = 0.97
_FULL_SCALE = 2.0**-15  # of 16-bit samples
_BLOCK = 512  # frames; measured: smaller blocks pay for calls, larger ones leave the cache
_STEP = 8  # frames; blocks are rounded up to it, so that their views can be kept
_BAND = 16  # mels; one vector register of them in a product over the few bins that they touch
_TF32_TAIL = 0x1FFF  # the bits of a float32 that a tensor core ignores when TF32 is allowed


@dataclass(frozen=True)
class Filters:
    """Frames of 25 ms every 10 ms, their window, and the triangles that weigh their spectra."""

    num_mels: int
    sample_rate: int
    window: Literal["povey", "hann"]
    lowest: float
    highest: float

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return self.sample_rate // 40

    @property
    def hop(self) -> int:
        """Samples from one frame to the next."""
        return self.sample_rate // 100

    @property
    def part(self) -> int:
        """The samples that frames and hops are whole multiples of: the unit of sums over frames."""
        return math.gcd(self.frame, self.hop)

    @property
    def fft(self) -> int:
        """The frame's length rounded up to a power of two."""
        return 1 << (self.frame - 1).bit_length()

    def window_N(self) -> Tensor:
        """The window, zero beyond the frame. Its first weight is zero, so what comes before a frame is never heard."""
        hann = torch.hann_window(self.frame, periodic=False, dtype=torch.float64)
        window = hann**0.85 if self.window == "povey" else hann
        return nn.functional.pad(window, (0, self.fft - self.frame)).float()

    def banks_KM(self) -> Tensor:
        """Triangles on mel = 1127 ln(1 + f / 700), unnormalised, a column each; no row for Nyquist's bin."""
        bins = torch.arange(self.fft // 2, dtype=torch.float64)[:, None] * self.sample_rate / self.fft
        low, high = (1127 * math.log1p(end / 700) for end in (self.lowest, self.highest))
        edges = torch.linspace(low, high, self.num_mels + 2, dtype=torch.float64)
        bins = 1127 * torch.log1p(bins / 700)
        rise = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
        fall = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
        return torch.minimum(rise, fall).clamp(min=0).float()


class LogMel(nn.Module):
    """Log-mel frames of a padded batch; each item's are those that it has alone, on the CPU to the last bit.

    Takes (B, S) float32 in -1..1 or int16, and samples per item; gives (B, T, F) float32 and frames per item, always
    without gradient and outside autocast. T follows from S alone. Frames beyond an item's own hold `padding`; then all
    are normalised as (x - mean) / divisor. With `snip_edges` only whole frames count; without, n samples have
    (n + hop / 2) // hop frames and the audio is mirrored at its ends. An item may be too short to have any frame.
    """

    def __init__(
        self,
        num_mels: int = 80,
        sample_rate: int = 16_000,
        window: Literal["povey", "hann"] = "povey",
        snip_edges: bool = False,
        lowest: float = 20.0,
        highest: float = 7600.0,
        num_frames: int | None = None,
        padding: float = SILENCE,
        mean: float = 0.0,
        divisor: float = 1.0,
    ) -> None:
        super().__init__()
        self.filters = Filters(num_mels, sample_rate, window, lowest, highest)
        self.snip_edges, self.num_frames = snip_edges, num_frames
        self.padding, self.mean, self.divisor = padding, mean, divisor
        # Neither parameters nor buffers: checkpoints keep their names, and half() leaves them as they are.
        self._window_N, self._banks_KM = self.filters.window_N(), self.filters.banks_KM()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the module to another device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = fn(torch.empty(0)).device
        self._window_N, self._banks_KM = (
            t.to(device) for t in (self.filters.window_N(), self.filters.banks_KM())
        )
        return self

    @torch.no_grad()
    def forward(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """The frames of a batch, on its device, and how many of each item are its own."""
        assert audio_BS.dtype in (torch.float32, torch.int16), audio_BS.dtype
        blocks = audio_BS.device.type == "cpu" and not torch.compiler.is_compiling()
        frames_B = self.frames_of(lengths_B)
        with torch.autocast(audio_BS.device.type, enabled=False):
            mel_BTF = (self.in_blocks if blocks else self.at_once)(audio_BS, lengths_B, frames_B)
        if (self.mean, self.divisor) != (0.0, 1.0):
            mel_BTF = mel_BTF.sub_(self.mean).div_(self.divisor)
        return mel_BTF, frames_B

    def frames_of(self, lengths_B: Tensor) -> Tensor:
        """How many frames items of so many samples have."""
        return ((lengths_B + self._extra) // self.filters.hop).clamp(min=0, max=self.num_frames)

    def in_blocks(self, audio_BS: Tensor, lengths_B: Tensor, frames_B: Tensor) -> Tensor:
        """The frames of a batch on the CPU, item by item in blocks, through this thread's own buffers."""
        room, hop, left = _rooms.of(self.filters), self.filters.hop, self._left
        mel_BTF = torch.empty(len(audio_BS), self._width(audio_BS.shape[1]), self.filters.num_mels)
        with torch.inference_mode():
            items = zip(audio_BS, mel_BTF, lengths_B.tolist(), frames_B.tolist(), strict=True)
            for audio_S, mel_TF, length, frames in items:
                assert length <= len(audio_S), (length, len(audio_S))
                for first in range(0, frames, _BLOCK):
                    block = mel_TF[first : min(first + _BLOCK, frames)]
                    room.fill(block, audio_S[:length], first * hop - left)
                if frames < len(mel_TF):
                    mel_TF[frames:] = self.padding
        return mel_BTF

    def at_once(self, audio_BS: Tensor, lengths_B: Tensor, frames_B: Tensor) -> Tensor:
        """The frames of a batch as one chain of batched operations, for accelerators and compilers."""
        filters, device, width = self.filters, audio_BS.device, self._width(audio_BS.shape[1])
        if not width:
            return torch.empty(len(audio_BS), 0, filters.num_mels, device=device)
        used = (width - 1) * filters.hop + filters.frame
        position_P = torch.arange(used + filters.fft - filters.frame, device=device) - self._left
        source_BP = _mirror(position_P, lengths_B[:, None].clamp(min=1))
        wave_BP = audio_BS.gather(1, source_BP)
        if wave_BP.dtype == torch.int16:
            wave_BP = wave_BP * _FULL_SCALE
        sharp_BP = nn.functional.pad(wave_BP[:, 1:] - _PREEMPHASIS * wave_BP[:, :-1], (1, 0))
        parts = wave_BP[:, :used].reshape(len(audio_BS), -1, filters.part).sum(-1)
        runs = parts.unfold(1, filters.frame // filters.part, filters.hop // filters.part)
        offset_BT1 = runs.sum(-1, keepdim=True) * ((1 - _PREEMPHASIS) / filters.frame)
        # _Room.fill says why this takes the mean out.
        frames_BTN = torch.lerp(offset_BT1, sharp_BP.unfold(1, filters.fft, filters.hop), self._window_N)
        power_BTK = torch.view_as_real(torch.fft.rfft(frames_BTN)[..., :-1]).square().sum(-1)
        product = torch.matmul if device.type == "cpu" else full_product
        mel_BTF = product(power_BTK, self._banks_KM).clamp(min=_FLOOR).log()
        beyond_BT = torch.arange(width, device=device) >= frames_B[:, None]
        return mel_BTF.masked_fill(beyond_BT[..., None], self.padding)

    @property
    def _left(self) -> int:
        """Mirrored samples before the audio."""
        return 0 if self.snip_edges else (self.filters.frame - self.filters.hop) // 2

    @property
    def _extra(self) -> int:
        """Samples over the audio's own that count towards another frame."""
        return self.filters.hop - self.filters.frame if self.snip_edges else self.filters.hop // 2

    def _width(self, samples: int) -> int:
        if self.num_frames is not None:
            return self.num_frames
        return max(0, (samples + self._extra) // self.filters.hop)


class _Room:
    """One thread's buffers for one kind of frames, and the views of them that a block of some size needs."""

    def __init__(self, filters: Filters) -> None:
        self.filters, frame, hop, fft = filters, filters.frame, filters.hop, filters.fft
        self.signal = torch.zeros((_BLOCK - 1) * hop + frame)
        self.sharp = torch.zeros((_BLOCK - 1) * hop + fft)
        self.parts = torch.zeros(len(self.signal) // filters.part)
        self.offsets = torch.zeros(_BLOCK, 1)
        self.frames = torch.zeros(_BLOCK, fft)
        self.spectra = torch.zeros(_BLOCK, fft // 2 + 1, dtype=torch.complex64)
        self.mel = torch.zeros(_BLOCK, filters.num_mels)
        self.window_N, self.bands = filters.window_N(), _bands(filters.banks_KM())
        self._views: dict[int, _Views] = {}

    def fill(self, mel_TF: Tensor, audio_S: Tensor, start: int) -> None:
        """Write consecutive frames, the first of which begins at sample `start` (negative: in the mirror)."""
        used = (len(mel_TF) - 1) * self.filters.hop + self.filters.frame
        self._load(audio_S, start, used)
        views = self._views_of(-(-len(mel_TF) // _STEP) * _STEP)
        # Pre-emphasis runs once over the audio, before framing, because every window begins with zero.
        torch.sub(views.later, views.sooner, alpha=_PREEMPHASIS, out=views.sharp)
        self.sharp[used : used + self.filters.fft - self.filters.frame] = 0
        torch.sum(views.signal, 1, out=views.parts)
        torch.sum(views.runs, 1, keepdim=True, out=views.offsets)
        views.offsets.mul_((1 - _PREEMPHASIS) / self.filters.frame)
        # window * (frame - offset), the frame without its mean, plus the offset, a constant over the whole transform:
        # that falls into the bin of 0 Hz, which no filter reads.
        torch.lerp(views.offsets, views.overlapping, self.window_N, out=views.frames)
        torch.fft.rfft(views.frames, out=views.spectra)
        views.squares.square_()
        for squares, band, mel in zip(views.squares_by_band, self.bands, views.mel_by_band, strict=True):
            torch.mm(squares, band.weights, out=mel)
        mel = views.mel.clamp_(min=_FLOOR)[: len(mel_TF)]
        np.log(mel.numpy(), out=mel_TF.numpy())  # at 2.5 times torch's speed

    def _load(self, audio_S: Tensor, start: int, used: int) -> None:
        """Put samples `start` to `start + used` into `signal`, mirrored beyond both ends."""
        length, stop = len(audio_S), start + used
        first, last = max(start, 0), min(stop, length)
        self.signal[first - start : last - start] = audio_S[first:last]
        if start < 0:
            self.signal[:-start] = _mirrored(audio_S, start, 0)
        if stop > length:
            self.signal[length - start : used] = _mirrored(audio_S, length, stop)
        if audio_S.dtype == torch.int16:
            self.signal[:used].mul_(_FULL_SCALE)

    def _views_of(self, count: int) -> "_Views":
        return self._views.get(count) or self._views.setdefault(count, _Views(self, count))


class _Views:
    """What a block of `count` frames uses of a room. Kept, because making them costs as much as the arithmetic."""

    def __init__(self, room: _Room, count: int) -> None:
        filters, hop = room.filters, room.filters.hop
        used = (count - 1) * hop + filters.frame
        self.sooner, self.later = room.signal[: used - 1], room.signal[1:used]
        self.sharp = room.sharp[1:used]
        self.signal = room.signal[:used].view(-1, filters.part)
        self.parts = room.parts[: len(self.signal)]
        self.runs = self.parts.unfold(0, filters.frame // filters.part, hop // filters.part)
        self.offsets = room.offsets[:count]
        self.overlapping = room.sharp.unfold(0, filters.fft, hop)[:count]
        self.frames, self.spectra, self.mel = room.frames[:count], room.spectra[:count], room.mel[:count]
        self.squares = torch.view_as_real(self.spectra).view(count, -1)
        self.squares_by_band = [self.squares[:, band.first : band.last] for band in room.bands]
        self.mel_by_band = torch.split(self.mel, _BAND, 1)


@dataclass(frozen=True)
class _Band:
    """A few neighbouring filters and the rows of squared real and imaginary parts that they touch."""

    first: int
    last: int
    weights: Tensor


def _bands(banks_KM: Tensor) -> list[_Band]:
    bands = []
    for weights in torch.split(banks_KM.repeat_interleave(2, 0), _BAND, 1):
        touched = weights.any(1).nonzero()[:, 0].tolist() or [0]
        first, last = touched[0], touched[-1] + 1
        bands.append(_Band(first, last, weights[first:last].contiguous()))
    return bands


class _Rooms(threading.local):
    """This thread's rooms."""

    def __init__(self) -> None:
        self._by_filters: dict[Filters, _Room] = {}

    def of(self, filters: Filters) -> _Room:
        if filters not in self._by_filters:
            self._by_filters[filters] = _Room(filters)
        return self._by_filters[filters]


_rooms = _Rooms()


def _mirror(position: Tensor, length: Tensor | int) -> Tensor:
    """Where a position lies when mirrors stand at both ends of a signal, in front of which a sample sees itself."""
    inside = position.remainder(2 * length)
    return torch.minimum(inside, 2 * length - 1 - inside)


def _mirrored(audio_S: Tensor, start: int, stop: int) -> Tensor:
    """Samples before or behind a clip, as `_mirror` has them."""
    length = len(audio_S)
    if -length <= start < stop <= 2 * length:  # one mirror is enough
        near, far = (-stop, -start) if start < 0 else (2 * length - stop, 2 * length - start)
        return audio_S[near:far].flip(0)
    return audio_S[_mirror(torch.arange(start, stop), length)]


def full_product(left: Tensor, right: Tensor) -> Tensor:
    """A matrix product in float32 precision, also where the process allows TF32 for speed.

    Each factor is split into a head that TF32 holds exactly and a tail; of the four products the smallest is left out.
    """
    left_head, right_head = _head(left), _head(right)
    tails = left_head @ (right - right_head) + (left - left_head) @ right_head
    return left_head @ right_head + tails


def _head(values: Tensor) -> Tensor:
    return (values.view(torch.int32) & ~_TF32_TAIL).view(torch.float32)


def zipformer_mel() -> LogMel:
    """Icefall's features: 80 bins of 20 to 7600 Hz, 100 frames a second, not normalised."""
    return LogMel()


def flap_mel(mean: float = AUDIOSET[0], std: float = AUDIOSET[1], num_frames: int = 1024) -> LogMel:
    """AudioMAE's and FLAP's features: 128 bins, cut or padded with zeros to `num_frames`, then (x - mean) / (2 std).

    Frames per item say how many are not padding. The clip's mean, which AudioMAE removes first, goes with the frames'.
    """
    return LogMel(
        128, window="hann", snip_edges=True, highest=8000.0, num_frames=num_frames, padding=0.0, mean=mean,
        divisor=2 * std,
    )  # fmt: skip
