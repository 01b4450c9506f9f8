"""How fast a Zipformer runs on one core: evaluation and training, beside a plain twin and icefall's own code.

    python -m benchmarks.zipformer [--size medium small] [--batch 4] [--seconds 10] [--repeats 8]

Audio-seconds per processor-second, in float32, random features, loss = mean square of the frames. All contenders take
turns, so that a busy machine slows them alike; the best turn counts. The twin has no training-only parts, so its ratio
is to ours without them.
"""

import argparse
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from benchmarks.report import machine, markdown
from benchmarks.zipformer_twin import Twin
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.model import Zipformer

# icefall's code, plain-torch Swoosh, one Zen 4 core, batch 4 x 10 s (evaluation, training), on a shared machine
_ICEFALL: Mapping[str, tuple[float, float]] = {"medium": (24.4, 8.3), "small": (32.4, 11.3)}
_AFTER_WARM_UP = 20_000.0  # batch count

Step = Callable[[], None]


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zipformer", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--size", nargs="+", default=["medium", "small"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--repeats", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [
        row
        for size in options.size
        for row in measured(size, options.batch, options.seconds, options.repeats)
    ]
    header = [
        "model",
        "pass",
        "ours",
        "ours, plain training",
        "twin",
        "ratio to twin",
        "icefall*",
        "ratio to icefall",
    ]
    print(markdown(header, rows))
    print(
        f"\nbatch {options.batch} x {options.seconds:g} s, best of {options.repeats}; "
        f"torch {torch.__version__}; {machine()}"
    )
    print("* a measurement of icefall's code on one Zen 4 core at batch 4 x 10 s, not of this run")


def measured(size: str, batch: int, seconds: float, repeats: int) -> list[list[str]]:
    """Two rows: evaluation and training."""
    encoder = Zipformer(getattr(ZipformerConfig, size)())
    encoder.set_batch_count(_AFTER_WARM_UP)
    mel_NTF = torch.randn(batch, round(seconds * 100), 80)
    check(encoder, mel_NTF[:, :200])
    contenders = passes(encoder, mel_NTF)
    best = dict.fromkeys(contenders, float("inf"))
    for _ in range(repeats):
        for name, step in contenders.items():
            began = time.process_time()
            step()
            best[name] = min(best[name], time.process_time() - began)
    rate = {name: batch * seconds / took for name, took in best.items()}
    rows = []
    for name, icefall in zip(("eval", "train"), _ICEFALL.get(size, (float("nan"),) * 2), strict=True):
        ours, plain, twin = rate[name], rate[f"{name}, plain"], rate[f"{name}, twin"]
        figures = (
            f"{ours:.1f}",
            f"{plain:.1f}",
            f"{twin:.1f}",
            f"{plain / twin:.2f}",
            f"{icefall:.1f}",
            f"{ours / icefall:.2f}",
        )
        rows.append([size, name, *figures])
    return rows


def check(encoder: Zipformer, mel_NTF: Tensor) -> None:
    """The twin's frames are ours."""
    with torch.no_grad():
        frames, _ = encoder.eval()(mel_NTF, full(mel_NTF))
        difference = (Twin(encoder)(mel_NTF) - frames).abs().max().item()
    assert difference < 1e-4, difference


def full(mel_NTF: Tensor) -> Tensor:
    """Lengths of a batch without padding."""
    return torch.full((len(mel_NTF),), mel_NTF.shape[1])


def passes(encoder: Zipformer, mel_NTF: Tensor) -> dict[str, Step]:
    """The passes to time by name."""
    lengths, twin = full(mel_NTF), Twin(encoder)

    def frames(regularized: bool) -> Tensor:
        encoder.chance.active = regularized
        result: Tensor = encoder(mel_NTF, lengths)[0]
        return result

    def evaluated(make: Callable[[], Tensor]) -> Step:
        def step() -> None:
            encoder.eval()
            with torch.no_grad():
                make()

        return step

    def trained(make: Callable[[], Tensor]) -> Step:
        def step() -> None:
            encoder.train()
            make().square().mean().backward()  # type: ignore[no-untyped-call]
            encoder.zero_grad()

        return step

    return {
        "eval": evaluated(lambda: frames(True)),
        "eval, plain": evaluated(lambda: frames(False)),
        "eval, twin": evaluated(lambda: twin(mel_NTF)),
        "train": trained(lambda: frames(True)),
        "train, plain": trained(lambda: frames(False)),
        "train, twin": trained(lambda: twin(mel_NTF)),
    }


if __name__ == "__main__":
    main()
