"""Does pretraining learn something real on one CPU? A small set, both objectives, a probe before and after.

    python -m benchmarks.pretrain --real DIR [--steps N] [--work DIR]

DIR holds ESC-10 (`esc10/<class>/*.ogg`, `esc10/meta/esc10.csv` in ESC-50's columns) and `pairs.jsonl` (`audio`,
`captions`); the sampler's clips come on top. Fold 5 of ESC-10 is never trained on: a linear probe on folds 1 to 4
is scored on it, on frozen features of the untrained and of the pretrained encoder.
"""

import argparse
import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from benchmarks.report import machine, markdown

_SOUNDS: Mapping[str, tuple[str, ...]] = {
    "dog": ("A dog barks.", "Barking of a dog.", "A dog is barking loudly."),
    "rain": ("Rain falls steadily.", "The sound of heavy rain.", "It is raining."),
    "sea_waves": ("Waves break on a shore.", "Sea waves roll in and out.", "The sound of the sea."),
    "crying_baby": ("A baby cries.", "An infant is crying.", "Crying of a baby."),
    "clock_tick": ("A clock ticks.", "Ticking of a clock.", "The steady tick of a clock."),
    "sneezing": ("A person sneezes.", "Somebody is sneezing.", "A sneeze."),
    "helicopter": ("A helicopter flies by.", "The rotor of a helicopter.", "A helicopter hovers overhead."),
    "chainsaw": ("A chainsaw is running.", "The motor of a chainsaw.", "Somebody cuts wood with a chainsaw."),
    "rooster": ("A rooster crows.", "Crowing of a rooster.", "A cock crows in the morning."),
    "crackling_fire": ("A fire crackles.", "Crackling of burning wood.", "The sound of a camp fire."),
}


def main() -> None:
    """Table, build, two runs, two probes; one table of figures at the end."""
    options = _options()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    table = work / "pairs.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows(options.real)), encoding="utf-8")
    recipe = _recipe(work)
    _stew("build", str(recipe), "--from", str(table), "--out", str(work / "build"))
    figures = []
    before = probe(options.real, None)
    for name in options.runs:
        out = work / name
        _stew(
            "train", name, "--data", str(work / "build"), "--out", str(out), "--set", f"steps={options.steps}"
        )
        _stew("export", str(out), "--out", str(out / "export"))
        last = _last_validation(out)
        held = [f"{last[key]:.3f}" if key in last else "-" for key in ("loss", "audio_to_text/R@10", "pairs")]
        figures.append([name, *held,
                        f"{before:.1%}", f"{probe(options.real, out / 'export'):.1%}"])  # fmt: skip
    print(
        markdown(
            ["run", "held-out loss", "R@10, audio to text", "of pairs", "probe before", "probe after"],
            figures,
        )
    )
    print(f"\n{options.steps} steps; {machine()}")


def rows(real: Path) -> Iterator[dict[str, Any]]:
    """Clips with captions: ESC-10 folds 1 to 4 by what they are, and the pairs as they were written."""
    for row in csv.DictReader((real / "esc10" / "meta" / "esc10.csv").open(encoding="utf-8")):
        if row["fold"] != "5":
            yield {"audio": str(real / "esc10" / row["filename"]), "captions": list(_SOUNDS[row["category"]])}
    for line in (real / "pairs.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        if "esc10/" not in row["audio"]:
            yield {"audio": str(real / row["audio"]), "captions": row["captions"]}


def probe(real: Path, exported: Path | None) -> float:
    """Accuracy on fold 5 of logistic regression on mean frames, trained on folds 1 to 4; None: an untrained encoder."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels, folds = [], [], []
    encoder = _encoder(exported)
    for row in csv.DictReader((real / "esc10" / "meta" / "esc10.csv").open(encoding="utf-8")):
        features.append(_embedded(encoder, real / "esc10" / row["filename"]))
        labels.append(row["category"])
        folds.append(row["fold"])
    x, y, held = np.stack(features), np.array(labels), np.array(folds) == "5"
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
    return float(classifier.fit(x[~held], y[~held]).score(x[held], y[held]))


def _encoder(exported: Path | None) -> Any:
    import torch

    from captionstew.train.encoders.choose import encoder

    torch.manual_seed(0)
    return encoder(str(exported) if exported else "zipformer-tiny").eval()


def _embedded(encoder: Any, path: Path) -> Any:
    import torch

    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(samples.mean(1), rate, encoder.sample_rate)
    with torch.inference_mode():
        frames, lengths = encoder(*encoder.features(torch.from_numpy(mono)[None], torch.tensor([len(mono)])))
    return frames[0, : int(lengths[0])].mean(0).numpy()


def _recipe(work: Path) -> Path:
    """The recipe `folder` with the sampler beside the user's own data."""
    from captionstew.recipe import source

    path = work / "small.py"
    several = 'corpora=("folder", "sampler-audiocaps", "sampler-clotho", "sampler-wavcaps")'
    text = source("folder").replace('corpora=("folder",)', several)
    path.write_text(text.replace('name="folder"', 'name="small"'), encoding="utf-8")
    return path


def _last_validation(out: Path) -> Mapping[str, float]:
    lines = [json.loads(line) for line in (out / "metrics.jsonl").open(encoding="utf-8")]
    found: dict[str, float] = {}
    for line in lines:
        found |= {
            key.removeprefix("validation/"): value for key, value in line.items() if "validation/" in key
        }
    return found


def _stew(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "captionstew", *words], check=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.pretrain", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--real", type=Path, required=True, help="the folder of real audio")
    parser.add_argument("--work", type=Path, default=Path("runs/pretrain"), help="where build and runs go")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--runs", nargs="+", default=["contrastive_small", "captioning_small"])
    return parser.parse_args()


if __name__ == "__main__":
    main()
