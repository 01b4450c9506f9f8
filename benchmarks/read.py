"""Reading for training in audio-seconds per processor-second of the whole process tree, against the peers.

    python -m benchmarks.read [--clips N] [--heads audio fbank mel] [--lhotse2 DIR] [--repeats N]

Every reader gives shuffled, padded batches of 640 s of the very same clips, by two workers, one epoch each in turn,
several times over; the medians are printed as a table for each head: `audio`, decoded waves (features would be made
on the GPU); `fbank`, 80 log-mels as each peer's users have them (lhotse's own, torchaudio's Kaldi for the others);
`mel`, ours for everyone, which leaves the readers alone to differ. Corpus and shards are made once and kept.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.corpus import Mix, excerpt, make, store
from benchmarks.peers import clips_of
from benchmarks.read_peers import BINS, NEEDS, bins
from benchmarks.readers import OURS
from benchmarks.report import machine, markdown
from benchmarks.usage import Usage, run

_BARE = {"bare": "ours", "bare-pcm": "ours-pcm"}  # what the limits read
_CODECS = {"ours": "flac", "ours-pcm": "pcm-zstd"}
_NAMES = (*_BARE, *OURS, *NEEDS)
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_ENVIRONMENT = {**_ONE_THREAD, "HF_HUB_OFFLINE": "1"}
_HEADER = "reader, audio-s / CPU-s, to best peer, audio-s / s, first batch s, padding %, batch s, peak MB"


@dataclass
class Runs:
    """All runs of one reader with one head."""

    name: str
    head: str
    store: Path
    environment: dict[str, str]
    usages: list[Usage] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Audio-seconds per processor-second, the median."""
        return median(float(usage.said["seconds"]) / usage.cpu for usage in self.usages)

    def once(self, clips: int) -> None:
        """One more epoch."""
        usage = run(["-m", "benchmarks.readers", self.name, str(self.store), self.head], self.environment)
        assert abs(usage.said["clips"] - clips) <= clips // 100, (
            f"{self.name}: {usage.said['clips']} of {clips} clips"
        )
        self.usages.append(usage)

    def row(self, best: float) -> list[str]:
        """The reader's line of the table."""
        said = self.usages[-1].said
        wall = median(usage.said["seconds"] / usage.wall for usage in self.usages)
        first = median(usage.said["first"] for usage in self.usages)
        peak = median(usage.peak for usage in self.usages) / 1e6
        cells = [
            f"{100 * (1 - said['seconds'] / said['padded']):.1f}",
            f"{said['seconds'] / said['batches']:.0f}",
        ]
        cells = ["-", "-"] if self.name in _BARE else cells
        ratio = f"{self.rate / best:.2f}" if best else "-"
        return [self.name, f"{self.rate:,.0f}", ratio, f"{wall:,.0f}", f"{first:.2f}", *cells, f"{peak:,.0f}"]


def main() -> None:
    """Make what is lacking, run everybody in turn and print the tables."""
    options = _options()
    names = [name for name in options.readers if _present(name, options)]
    corpus = _corpus(options)
    clips = clips_of(corpus)
    every = [
        Runs(name, head, _shards(_BARE.get(name, name), corpus, options), _environment(name, options))
        for head in options.heads
        for name in names
        if (head == "audio" or name not in _BARE) and (head != "fbank" or _has_kaldi(name))
    ]
    for number in range(options.repeats):
        for runs in every:
            runs.once(len(clips))
            print(f"{number + 1}/{options.repeats} {runs.head} {runs.name} {runs.rate:,.0f}", flush=True)
    for head in options.heads:
        print(f"\n{head}\n\n" + table([runs for runs in every if runs.head == head]))
    hours = sum(clip.seconds for clip in clips) / 3600
    print(f"\n{len(clips):,} clips, {hours:.2f} h, {options.repeats} repeats; {machine()}")


def table(every: Sequence[Runs]) -> str:
    """The medians, with ratios to the best peer."""
    best = max((runs.rate for runs in every if runs.name in NEEDS), default=0.0)
    return markdown(_HEADER.split(", "), [runs.row(best) for runs in every])


def _corpus(options: argparse.Namespace) -> Path:
    """The first clips of the corpus, in a folder beside the shards made of them."""
    folder: Path = options.store / f"read-{options.clips}-{options.seed}" / "corpus"
    if not (folder / "clips.jsonl").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        excerpt(make(options.corpus, Mix(options.clips, options.seed)), options.clips, folder)
    return folder


def _shards(name: str, corpus: Path, options: argparse.Namespace) -> Path:
    """The clips as shards of a reader's own; made if they are not there."""
    out = corpus.parent / name
    done = corpus.parent / f"{name}.done"
    if done.is_file():
        return out
    print(f"making the shards of {name}", flush=True)
    shutil.rmtree(out, ignore_errors=True)
    if name in OURS:
        command = ["captionstew", "build", "folder", "--from", str(corpus / "clips.jsonl"), "--out", str(out)]
        command += ["--set", f"codec={_CODECS[name]}", "--quiet"]
    else:
        command = ["benchmarks.contenders", name.removesuffix("2"), str(corpus), str(out)]
    environment = {**os.environ, **_environment(name, options)}
    subprocess.run([sys.executable, "-m", *command], env=environment, check=True, stdout=subprocess.DEVNULL)
    if name in OURS:
        from captionstew.shards.read import Clips
        from captionstew.shards.texts import Texts

        Texts(Clips(out))  # its index of captions, which the first training run would make
    elif name.startswith("lhotse"):
        (out / BINS).write_text(json.dumps(bins([clip.seconds for clip in clips_of(corpus)])))
    done.touch()
    return out


def _environment(name: str, options: argparse.Namespace) -> dict[str, str]:
    if name != "lhotse2":
        return _ENVIRONMENT
    path = os.pathsep.join(filter(None, (str(options.lhotse2), os.environ.get("PYTHONPATH", ""))))
    return {**_ENVIRONMENT, "PYTHONPATH": path}


def _present(name: str, options: argparse.Namespace) -> bool:
    package = NEEDS.get(name)
    if name == "lhotse2" and not options.lhotse2:
        print("lhotse2: left out, name the folder of the pre-release with --lhotse2")
        return False
    if package is None or importlib.util.find_spec(package):
        return True
    print(f"{name}: left out, the package {package} is not installed (benchmarks/requirements.txt)")
    return False


def _has_kaldi(name: str) -> bool:
    if name in OURS or name.startswith("lhotse") or importlib.util.find_spec("torchaudio"):
        return True
    print(f"{name}: left out of fbank, the package torchaudio is not installed")
    return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.read", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--clips", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--heads", nargs="+", choices=("audio", "fbank", "mel"), default=("audio", "fbank"))
    parser.add_argument(
        "--readers", nargs="+", choices=_NAMES, default=_NAMES, metavar="NAME", help=" ".join(_NAMES)
    )
    parser.add_argument("--lhotse2", type=Path, help="folder of lhotse's pre-release 2.0")
    parser.add_argument("--corpus", type=Path, default=store(), help="where the corpus is kept")
    parser.add_argument("--store", type=Path, default=store(), help="where the shards are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
