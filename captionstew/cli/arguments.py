"""The arguments of each command; nothing heavy is imported, so that help is there at once."""

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" is not a whole number') from None
    if number < 1:
        raise ArgumentTypeError(f"{text} is too few; 1 or more")
    return number


def none(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def corpora(parser: ArgumentParser) -> None:
    """Which corpus, or all."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="one corpus in full; without it, a table of all"
    )


def recipes(parser: ArgumentParser) -> None:
    """What to do with recipes, and which."""
    parser.add_argument("action", metavar="show|copy", nargs="?", help="without it, a list of all recipes")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a recipe, or a corpus")
    parser.add_argument("file", metavar="FILE", nargs="?", help="copy: the file to write")


def _limit(parser: ArgumentParser) -> None:
    help = "at most N clips of each corpus, for trying things out"
    parser.add_argument("--limit", metavar="N", type=_number, help=help)


def _set(parser: ArgumentParser) -> None:
    help = "change a field of a stage: codec=opus"
    parser.add_argument("--set", metavar="FIELD=VALUE", action="append", default=[], help=help)


def _cluster(parser: ArgumentParser) -> None:
    help = "none: this process; local: Ray here; ADDRESS: a Ray cluster; auto (default) chooses by size"
    parser.add_argument("--cluster", metavar="WHERE", default="auto", help=help)


def _fresh(parser: ArgumentParser) -> None:
    parser.add_argument("--fresh", action="store_true", help="forget what was done here and begin again")


def _order(parser: ArgumentParser, recipes: str | None = None) -> None:
    add = parser.add_argument
    help = "a recipe (captionstew recipes), a .py file, or the name of one corpus"
    add("recipe", metavar="RECIPE", nargs=recipes, help=help)
    add("--out", metavar="DIR", help="where it is built; build/<recipe> if not said")
    help = "where a corpus lies: annotations or audio"
    add("--audio", metavar="NAME=DIR", action="append", default=[], help=help)
    help = "recipe folder: your data, a folder or a .csv .jsonl .parquet"
    add("--from", metavar="PATH", dest="source", help=help)
    add("--only", metavar="NAME", action="append", default=[], help="build only this corpus of the recipe")
    _limit(parser)
    help = "a language model adds captions: http://HOST:PORT, @FILE of enrich serve, vllm, transformers"
    add("--enrich", metavar="WHERE", help=help)
    help = "400k, 1m, 4m or 10m: that share of every corpus, the smaller inside the larger"
    add("--subset", metavar="SIZE", help=help)
    _set(parser)
    add(
        "--offline",
        action="store_true",
        help="ask nothing of the network: what was fetched before, and --audio",
    )
    _cluster(parser)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text)
    if not match:
        raise ArgumentTypeError(f'"{text}" is no size: 500GB, 2TB')
    return round(float(match[1]) * float(1000 ** " kMGT".index(match[2] or " ")))


def fetch(parser: ArgumentParser) -> None:
    """Which corpora, and how much of them."""
    add = parser.add_argument
    add("name", metavar="NAME", nargs="+", help="corpora (captionstew corpora)")
    help = "the store; CAPTIONSTEW_HOME, or captionstew in the cache folder, if not said"
    add("--to", metavar="DIR", help=help)
    add("--only", choices=("annotations", "audio"), help="a part of it")
    add("--split", metavar="NAME", help="one split, by our name or the corpus' own")
    add("--offline", action="store_true", help="ask nothing of the network: link what the store has")
    add("--jobs", metavar="N", type=_number, default=4, help="files at a time (4)")
    add("--dry-run", action="store_true", help="say what would be fetched, and fetch nothing")
    help = "then give back what no corpus needs, the oldest first, until the store is below SIZE"
    add("--keep-under", metavar="SIZE", type=_bytes, help=help)
    add(
        "--remove", action="store_true", help="give the corpora up instead; --keep-under then gives room back"
    )
    add("--youtube", action="store_true", help="ask YouTube for the clips, by yt-dlp; read its terms first")


def plan(parser: ArgumentParser) -> None:
    """A build that is not done."""
    _order(parser)
    parser.add_argument("--save", metavar="FILE", help="where the plan is written; plan.jsonl if not said")
    help = "ask servers for sizes that the facts do not say; nothing is downloaded"
    parser.add_argument("--ask", action="store_true", help=help)


def enrich(parser: ArgumentParser) -> None:
    """Its verbs, each with its own."""
    from captionstew.cli import calibrating, serve

    made = {
        "sample": _sample,
        "compare": _compare,
        "captions": _order,
        "audit": _audit,
        "similarity": _similarity,
        "calibrate": calibrating.options,
        "serve": serve.options,
    }
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, help=", ".join(made))
    everywhere = {"--json": "the result as JSON on stdout", "--quiet": "the result and errors only"}
    for name, arguments in made.items():
        action = actions.add_parser(name, allow_abbrev=False)
        arguments(action)
        for option, help in everywhere.items():
            action.add_argument(option, action="store_true", default=SUPPRESS, help=help)


def _sample(parser: ArgumentParser) -> None:
    _order(parser)
    parser.add_argument("--n", metavar="N", type=_number, default=20, help="clips, the same each time (20)")


def _compare(parser: ArgumentParser) -> None:
    help = "a prompt, or where a model is: http://..., @FILE, vllm"
    parser.add_argument("first", metavar="A", help=help)
    parser.add_argument("second", metavar="B", help="another one, on the same clips")
    _sample(parser)


def _audit(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="BUILD", help="a build with generated captions")
    parser.add_argument("--n", metavar="N", type=_number, default=100, help="captions to judge (100)")
    parser.add_argument("--out", metavar="FILE", default="audit.csv", help="the sheet to write (audit.csv)")
    help = "sheets that people have filled in: agreement, and how often the guard is wrong"
    parser.add_argument("--read", metavar="FILE", nargs="+", default=[], help=help)


def _similarity(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="BUILD", help="a build whose Guard had a similarity model")


def build(parser: ArgumentParser) -> None:
    """A build that is done."""
    _order(parser, "?")
    help = "build exactly what captionstew plan has planned, with no other options"
    parser.add_argument("--plan", metavar="FILE", help=help)
    _fresh(parser)


def attach(parser: ArgumentParser) -> None:
    """A release, the audio, what counts as the same."""
    add = parser.add_argument
    add("release", metavar="RELEASE", help="a folder, or hf://ORG/NAME[@TAG], with a captions tier")
    help = "where your audio of a corpus lies; what captionstew fetch has brought needs none"
    add("--audio", metavar="NAME=DIR", action="append", default=[], help=help)
    add("--out", metavar="DIR", help="where it is built; build/<recipe>-attached if not said")
    add("--codec", metavar="CODEC", help="flac, opus or pcm-zstd; that of the release if not said")
    add("--only", metavar="NAME", action="append", default=[], help="attach only this corpus")
    _limit(parser)
    help = "keep copies with other samples than the published ones, if they sound the same"
    add("--accept-other-audio", action="store_true", help=help)
    help = "what is missing or other, clip by clip: .csv or .parquet (OUT/attach.csv)"
    add("--list", metavar="FILE", help=help)
    add("--dry-run", action="store_true", help="say which clips are here, and attach nothing")
    add("--offline", action="store_true", help="fetch no annotations: what was fetched before, and --audio")
    _cluster(parser)
    _fresh(parser)


def folder(parser: ArgumentParser) -> None:
    """A folder of a build."""
    parser.add_argument("folder", metavar="DIR", help="a folder that captionstew built, or is building")


def inspect(parser: ArgumentParser) -> None:
    """A folder or release, and perhaps a clip of it."""
    help = "a folder that captionstew built or published, or hf://ORG/NAME[@TAG]"
    parser.add_argument("folder", metavar="DIR", help=help)
    parser.add_argument("--clip", metavar="ID", help="one clip, with its waveform and spectrogram")
    parser.add_argument("--play", action="store_true", help="play the clip")
    parser.add_argument("--png", metavar="FILE", help="draw the clip: waveform and spectrogram with axes")
    parser.add_argument("--schema", action="store_true", help="the columns and what they mean")
    parser.add_argument(
        "--limit", metavar="N", type=_number, default=10, help="rows to show, evenly spread (10)"
    )


def validate(parser: ArgumentParser) -> None:
    """What is checked, and how closely."""
    help = "a folder that captionstew built, or a release: hf://ORG/NAME[@TAG], or a folder that holds one"
    parser.add_argument("folder", metavar="DIR", help=help)
    help = "decode N clips, evenly spread: instead of all, or of the 24 of a release"
    parser.add_argument("--sample", metavar="N", type=_number, help=help)
    help = "where an evaluation set lies, to look for its clips once more"
    parser.add_argument("--audio", metavar="NAME=DIR", action="append", default=[], help=help)


def report(parser: ArgumentParser) -> None:
    """Of what, and for whom."""
    add = parser.add_argument
    add("folder", metavar="DIR", help="a build, or a release: a folder or hf://ORG/NAME[@TAG]")
    add("--out", metavar="FILE", help="where to write; report.html in the build if not said")
    add("--public", action="store_true", help="leave out sound and text that may not be passed on")
    add("--clips", metavar="N", type=_number, default=24, help="clips to listen to (24)")
    add("--against", metavar="DIR", help="an earlier build, or a release (hf://...): what changed since")


def publish(parser: ArgumentParser) -> None:
    """Which build goes where, and what of it."""
    add = parser.add_argument
    add("folder", metavar="BUILD", help="a folder that captionstew built")
    help = "the dataset on the Hugging Face Hub; it is made if there is none"
    add("repository", metavar="ORG/NAME", help=help)
    help = "audio (default): whatever the licenses allow; captions: no audio; audio-nc: non-commercial audio too, gated"
    add("--tier", choices=("audio", "captions", "audio-nc"), default="audio", help=help)
    add("--private", action="store_true", help="a new repository that only its organisation sees")
    add("--tag", metavar="vX.Y.Z", default="", help="the version; the one that has to follow if not said")
    add("--dry-run", action="store_true", help="write the whole repository into BUILD/release, send nothing")
    add("--yes", action="store_true", help="do not ask")
    help = "clips to take down for good: .csv .jsonl .parquet of clip_id, reason, date"
    add("--remove", metavar="FILE", help=help)
    help = "a line for the changelog; may be repeated"
    add("--note", metavar="TEXT", action="append", default=[], help=help)
    add("--without", metavar="NAME", action="append", default=[], help="leave a corpus out, its captions too")
    help = "publish captions of a model whose license we do not know, and say why that is right"
    add("--allow-model", metavar="NAME=NOTE", action="append", default=[], help=help)


def train(parser: ArgumentParser) -> None:
    """A run, its data, its machines."""
    add = parser.add_argument
    add("recipe", metavar="RECIPE", help="a training recipe (captionstew recipes), or a .py file")
    help = "a build's folder, hf://datasets/OWNER/NAME, or your own folder or table of audio and captions"
    add("--data", metavar="BUILD", required=True, help=help)
    add("--out", metavar="DIR", help="where the run lives; runs/<recipe> if not said")
    add("--gpus", metavar="N", type=_number, help="one process per GPU of this machine")
    add("--ranks", metavar="N", type=_number, help="that many processes, on GPUs or on the CPU")
    add("--cluster", metavar="WHERE", default="", help="Ray Train: local, or the address of a Ray cluster")
    help = "change a field of the run: steps=1000, data.seconds=320"
    add("--set", metavar="FIELD=VALUE", action="append", default=[], help=help)
    add(
        "--dry-run",
        action="store_true",
        help="measure the worst batch, estimate time and memory, train nothing",
    )


def import_(parser: ArgumentParser) -> None:
    """Manifests, and where they go."""
    add = parser.add_argument
    add("manifest", metavar="MANIFEST", nargs="+", help="Lhotse cuts: .jsonl or .jsonl.gz")
    add("--out", metavar="DIR", help="where it is built; build/NAME if not said")
    add("--name", metavar="NAME", help="what to call it; the first manifest's name if not said")
    help = "the audio is below this folder, and nothing outside it is opened"
    add("--audio-root", metavar="DIR", help=help)
    help = "that of the audio where `custom` of a cut has none: an SPDX id, or LicenseRef-..."
    add("--license", metavar="SPDX", default="", help=help)
    add("--split", choices=("train", "val", "test"), default="train", help="of cuts that say none (train)")
    help = "who wrote captions that do not say it (human)"
    add("--style", choices=("human", "machine", "template", "label"), default="human", help=help)
    add("--limit", metavar="N", type=_number, help="at most N clips, for trying things out")
    _set(parser)
    _cluster(parser)
    _fresh(parser)


def export(parser: ArgumentParser) -> None:
    """What goes out, in which form."""
    add = parser.add_argument
    add("folder", metavar="DIR", help="a run's folder; with --to, a build's, or hf://datasets/OWNER/NAME")
    add("--out", metavar="DIR", help="where to write; DIR/export, or DIR/export/<form>, if not said")
    run = parser.add_argument_group("of a run")
    run.add_argument("--last", action="store_true", help="the last weights, not their average over the run")
    run.add_argument("--encoder", action="store_true", help="the audio encoder alone")
    add = parser.add_argument_group("of a build").add_argument
    help = "its clips as Lhotse Shar, as tars for webdataset, or as JSON lines"
    add("--to", choices=("lhotse", "webdataset", "jsonl"), help=help)
    add("--corpus", metavar="NAME", action="append", default=[], help="only this corpus; may be repeated")
    add("--split", metavar="NAME", action="append", default=[], help="only this split; may be repeated")
    add("--subset", metavar="SIZE", help="400k, 1m, 4m or 10m: of train, the clips of that nested subset")
    add("--shard-clips", metavar="N", type=_number, help="clips in a shard (1000)")
    help = "where sounds go: lhotse: tar or files; webdataset: tar; jsonl: files or none"
    add("--audio", metavar="WHERE", help=help)
