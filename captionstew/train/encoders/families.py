"""What the families of transformers' audio encoders want to be fed, and how their outputs become frames."""

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from captionstew.audio.mel import LogMel
from captionstew.errors import StewError


class Family(Protocol):
    """One way of hearing. `longest` samples are heard at most; `exact`: a clip's frames never depend on its batch."""

    frame_rate: float
    exact: bool
    longest: int | None

    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """What the model is fed, (B, T, F), and how much of it is each item's own, never nothing."""

    def inputs(self, features_BTF: Tensor, lengths_B: Tensor) -> Mapping[str, Tensor]:
        """The arguments of the model's forward."""

    def frames(self, hidden_BND: Tensor) -> Tensor:
        """Frames (B, T', D) of a hidden state."""

    def num_frames(self, lengths_B: Tensor) -> Tensor:
        """Frames of items whose features have these lengths."""


class Wave:
    """wav2vec 2.0, HuBERT, WavLM and their kin: the wave itself, through convolutions, with padding masked.

    Models whose first convolution has a norm over time (`feat_extract_norm="group"`) see padding there; here it runs
    over each item's own part. Only the stacked position convolutions of data2vec still let padding through.
    """

    longest: int | None = None

    def __init__(self, model: Any, front: Mapping[str, Any]) -> None:
        self._lengths_after = model._get_feat_extract_output_lengths
        self._normalise = bool(front.get("do_normalize", True))
        layers = list(zip(model.config.conv_kernel, model.config.conv_stride, strict=True))
        self._least = 1  # samples of one frame
        for kernel, stride in reversed(layers):
            self._least = (self._least - 1) * stride + kernel
        hop = 1
        for _, stride in layers:
            hop *= stride
        self.frame_rate = front["sampling_rate"] / hop
        self.exact = model.config.model_type != "data2vec-audio"
        self._first = layers[0]
        self._norm = _own_norm(model.feature_extractor.conv_layers[0])

    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """The wave, each item with mean 0 and variance 1 where the model was trained so, zero beyond it."""
        audio_BS = functional.pad(audio_BS, (0, max(0, self._least - audio_BS.shape[1])))
        own_BS = _within(audio_BS.shape[1], lengths_B)
        audio_BS = audio_BS.masked_fill(~own_BS, 0.0)
        if self._normalise:
            count_B1 = lengths_B.clamp(min=1)[:, None]
            centred_BS = (audio_BS - audio_BS.sum(1, keepdim=True) / count_B1).masked_fill(~own_BS, 0.0)
            audio_BS = centred_BS / (centred_BS.square().sum(1, keepdim=True) / count_B1 + 1e-7).sqrt()
        return audio_BS[:, :, None], lengths_B.clamp(min=self._least)

    def inputs(self, features_BTF: Tensor, lengths_B: Tensor) -> Mapping[str, Tensor]:
        """The wave and its mask."""
        if self._norm is not None:
            kernel, stride = self._first
            self._norm.lengths_B = (lengths_B - kernel) // stride + 1
        mask_BS = _within(features_BTF.shape[1], lengths_B).long()
        return {"input_values": features_BTF[:, :, 0], "attention_mask": mask_BS}

    def frames(self, hidden_BND: Tensor) -> Tensor:
        """They are frames already."""
        return hidden_BND

    def num_frames(self, lengths_B: Tensor) -> Tensor:
        """What the convolutions leave."""
        frames_B: Tensor = self._lengths_after(lengths_B).long()
        return frames_B


class OwnGroupNorm(nn.GroupNorm):
    """Group norm with one channel a group over the `lengths_B` of each item, not over its padding."""

    lengths_B: Tensor | None = None

    def forward(self, x_BCT: Tensor) -> Tensor:
        """The item's own part with mean 0 and variance 1 in each channel, then scaled and shifted."""
        if self.lengths_B is None:
            return super().forward(x_BCT)
        own_B1T = _within(x_BCT.shape[2], self.lengths_B)[:, None]
        count_B11 = self.lengths_B[:, None, None]
        mean_BC1 = x_BCT.masked_fill(~own_B1T, 0.0).sum(2, keepdim=True, dtype=torch.float32) / count_B11
        centred_BCT = (x_BCT - mean_BC1).masked_fill(~own_B1T, 0.0)
        scale_BC1 = (centred_BCT.square().sum(2, keepdim=True) / count_B11 + self.eps).rsqrt()
        return (centred_BCT * (scale_BC1 * self.weight[:, None]) + self.bias[:, None]).to(x_BCT.dtype)


class Whisper:
    """Whisper's encoder: a log-mel of 30 seconds, silence beyond the clip included as in its training."""

    exact = True

    def __init__(self, model: Any, front: Mapping[str, Any]) -> None:
        from transformers import WhisperFeatureExtractor

        extractor = WhisperFeatureExtractor(**front)
        self._fft, self._hop = extractor.n_fft, extractor.hop_length
        self._samples: int = extractor.n_samples
        self.longest: int | None = self._samples
        self._banks_KM = torch.from_numpy(extractor.mel_filters).float()
        self.frame_rate = extractor.sampling_rate / self._hop / 2

    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Log10 mel (B, T, F), at most 8 below each item's greatest, about -1..1 (Radford et al. 2022, §2.2)."""
        audio_BS = audio_BS.masked_fill(~_within(audio_BS.shape[1], lengths_B), 0.0)[:, : self._samples]
        audio_BS = functional.pad(audio_BS, (0, self._samples - audio_BS.shape[1]))
        window = torch.hann_window(self._fft, device=audio_BS.device)
        spectrum_BKT = torch.stft(audio_BS, self._fft, self._hop, window=window, return_complex=True)[
            ..., :-1
        ]
        power_BTK = spectrum_BKT.abs().square().transpose(1, 2)
        self._banks_KM = self._banks_KM.to(audio_BS.device)
        mel_BTF = (power_BTK @ self._banks_KM).clamp(min=1e-10).log10()
        mel_BTF = torch.maximum(mel_BTF, mel_BTF.amax((1, 2), keepdim=True) - 8.0)
        frames_B = (lengths_B + self._hop - 1) // self._hop
        return (mel_BTF + 4.0) / 4.0, frames_B.clamp(min=1, max=mel_BTF.shape[1])

    def inputs(self, features_BTF: Tensor, lengths_B: Tensor) -> Mapping[str, Tensor]:
        """The mel, bins first; no mask, as in its training."""
        return {"input_features": features_BTF.transpose(1, 2)}

    def frames(self, hidden_BND: Tensor) -> Tensor:
        """They are frames already."""
        return hidden_BND

    def num_frames(self, lengths_B: Tensor) -> Tensor:
        """Half of the mel's."""
        return (lengths_B + 1) // 2


class Spectrogram:
    """AST: overlapping patches of a log-mel of fixed length, padding included as in its training.

    Frames are the means of the patches of one time; the two class tokens are left out.
    """

    exact = True

    def __init__(self, model: Any, front: Mapping[str, Any]) -> None:
        config, bins = model.config, front["num_mel_bins"]
        normal = bool(front.get("do_normalize", True))
        mean, divisor = (front["mean"], 2 * front["std"]) if normal else (0.0, 1.0)
        rate, num_frames = front["sampling_rate"], front["max_length"]
        self._mel = LogMel(
            bins, rate, "hann", snip_edges=True, highest=rate / 2, num_frames=num_frames,
            padding=0.0, mean=mean, divisor=divisor,
        )  # fmt: skip
        self._stride: int = config.time_stride
        self._bands: int = (bins - config.patch_size) // config.frequency_stride + 1
        self._times: int = (num_frames - config.patch_size) // self._stride + 1
        self.longest: int | None = rate // 100 * (num_frames - 1) + rate // 40
        self.frame_rate = 100 / self._stride

    def features(self, audio_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised log-mel (B, T, F), T the same for all clips."""
        mel_BTF, frames_B = self._mel.to(audio_BS.device)(audio_BS, lengths_B)
        return mel_BTF, frames_B.clamp(min=1)

    def inputs(self, features_BTF: Tensor, lengths_B: Tensor) -> Mapping[str, Tensor]:
        """The mel; no mask, as in its training."""
        return {"input_values": features_BTF}

    def frames(self, hidden_BND: Tensor) -> Tensor:
        """The mean over frequency; patches run over times first."""
        patches_BFTD = hidden_BND[:, 2:].reshape(len(hidden_BND), self._bands, self._times, -1)
        frames_BTD: Tensor = patches_BFTD.mean(dim=1)
        return frames_BTD

    def num_frames(self, lengths_B: Tensor) -> Tensor:
        """Patches that begin within the clip."""
        return ((lengths_B + self._stride - 1) // self._stride).clamp(max=self._times)


_FAMILIES: Mapping[str, type[Wave] | type[Whisper] | type[Spectrogram]] = {
    "wav2vec2": Wave,
    "hubert": Wave,
    "wavlm": Wave,
    "unispeech": Wave,
    "unispeech-sat": Wave,
    "data2vec-audio": Wave,
    "whisper": Whisper,
    "audio-spectrogram-transformer": Spectrogram,
}


def family_of(model: Any, front: Mapping[str, Any]) -> Family:
    """How this model, of a kind that `check_kind` knows, is to be used."""
    return _FAMILIES[model.config.model_type](model, front)


def check_kind(settings: Any) -> None:
    """The configuration is that of an audio encoder that can be used, or StewError."""
    if settings.model_type not in _FAMILIES:
        hint = f"choose one of {', '.join(_FAMILIES)}"
        raise StewError(f"a model of type {settings.model_type!r} is no audio encoder known here", hint=hint)
    if getattr(settings, "add_adapter", False):
        hint = "choose the model that it was made from"
        raise StewError(
            "an encoder with an adapter, made for another model's decoder, cannot be used", hint=hint
        )


def _own_norm(layer: Any) -> OwnGroupNorm | None:
    """The layer's group norm, made to run over each item's own part; None if it has another norm."""
    norm = getattr(layer, "layer_norm", None)
    if not isinstance(norm, nn.GroupNorm):
        return None
    layer.layer_norm = own = OwnGroupNorm(norm.num_groups, norm.num_channels, norm.eps)
    own.weight, own.bias = norm.weight, norm.bias
    return own


def _within(size: int, lengths_B: Tensor) -> Tensor:
    return torch.arange(size, device=lengths_B.device) < lengths_B[:, None]
