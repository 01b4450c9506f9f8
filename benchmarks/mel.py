"""Log-mel frames alone: audio-seconds per processor second on one thread, ours against the libraries.

    python -m benchmarks.mel [--clips 24] [--seconds 10] [--repeats 9]

Contenders take turns on the same clips; each one's best repeat counts. Librosa and the short-time transform of torch
are not Kaldi's features: they have neither its frames' means nor its pre-emphasis, and do less.
"""

import argparse
import importlib
import time
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from benchmarks.report import machine, markdown
from captionstew.audio.mel import LogMel, zipformer_mel

RATE = 16_000
Clips = list[npt.NDArray[np.float32]]
Contender = Callable[[Clips], object]


def main() -> None:
    """Run all that is installed and print the table."""
    options = _options()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    random = np.random.default_rng(7)
    samples = round(options.seconds * RATE)
    clips = [(0.1 * random.standard_normal(samples)).astype(np.float32) for _ in range(options.clips)]
    contenders, missing = _contenders()
    best = _best(contenders, clips, options.repeats)
    rates = {name: options.clips * options.seconds / seconds for name, seconds in best.items()}
    fastest = max(rate for name, rate in rates.items() if not name.startswith(("**ours", "by hand")))
    rows = [
        [name, f"{rate:,.0f}", f"{1e6 / rate:.0f}", f"{rate / fastest:.2f}"] for name, rate in rates.items()
    ]
    print(markdown(["80-bin log-mel", "audio-s / core-s", "us per audio-s", "to the fastest library"], rows))
    print(
        f"\n{options.clips} clips of {options.seconds:g} s, one thread, best of {options.repeats}; {machine()}"
    )
    if missing:
        print(f"not installed: {', '.join(missing)}")


def _best(contenders: Mapping[str, Contender], clips: Clips, repeats: int) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for contender in contenders.values():  # plans, tables, compiled code
        contender(clips[:2])
    for _ in range(repeats):
        for name, contender in contenders.items():
            before = time.process_time()
            contender(clips)
            spent = time.process_time() - before
            seconds[name] = min(spent, seconds.get(name, spent))
    return seconds


def _contenders() -> tuple[dict[str, Contender], list[str]]:
    mel = zipformer_mel()
    contenders: dict[str, Contender] = {
        "**ours**, batches of 8": lambda clips: _ours(mel, clips, 8),
        "**ours**, clip by clip": lambda clips: _ours(mel, clips, 1),
        "**ours**, the accelerator's form": lambda clips: _at_once(mel, clips),
        "by hand: torch.stft and a product": _stft(mel),
    }
    missing = []
    makers = {"lhotse Fbank": _lhotse, "kaldi-native-fbank": _kaldi_native, "librosa": _librosa}
    for name, make in makers.items():
        try:
            contenders[name] = make()
        except ImportError:
            missing.append(name)
    return contenders, missing


def _ours(mel: LogMel, clips: Clips, size: int) -> None:
    for first in range(0, len(clips), size):
        mel(*_batch(clips[first : first + size]))


def _at_once(mel: LogMel, clips: Clips) -> None:
    for clip in clips:
        audio_BS, lengths_B = _batch([clip])
        mel.at_once(audio_BS, lengths_B, mel.frames_of(lengths_B))


def _batch(clips: Clips) -> tuple[Tensor, Tensor]:
    audio = torch.from_numpy(clips[0])[None] if len(clips) == 1 else torch.from_numpy(np.stack(clips))
    return audio, torch.tensor([len(clip) for clip in clips])


def _stft(mel: LogMel) -> Contender:
    filters = mel.filters
    window, banks = filters.window_N()[: filters.frame], filters.banks_KM().T.contiguous()

    def run(clips: Clips) -> None:
        for clip in clips:
            wave = torch.from_numpy(clip)
            spectrum = torch.stft(wave, filters.fft, filters.hop, filters.frame, window, return_complex=True)
            (banks @ spectrum[:-1].abs().square_()).clamp_(min=1e-7).log_()

    return run


def _lhotse() -> Contender:
    from lhotse import Fbank

    fbank = Fbank()
    return lambda clips: [fbank.extract(clip, RATE) for clip in clips]


def _kaldi_native() -> Contender:
    knf = importlib.import_module("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither, options.frame_opts.snip_edges = 0, False
    options.mel_opts.num_bins, options.mel_opts.high_freq = 80, -400

    def run(clips: Clips) -> None:
        for clip in clips:
            fbank = knf.OnlineFbank(options)
            fbank.accept_waveform(RATE, clip)
            fbank.input_finished()
            np.stack([fbank.get_frame(i) for i in range(fbank.num_frames_ready)])

    return run


def _librosa() -> Contender:
    import librosa

    settings = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 80, "fmin": 20, "fmax": 7600}

    def run(clips: Clips) -> None:
        for clip in clips:
            mel = librosa.feature.melspectrogram(y=clip, sr=RATE, **settings)
            np.log(np.maximum(mel, 1e-7))

    return run


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.mel", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=9)
    return parser.parse_args()


if __name__ == "__main__":
    main()
