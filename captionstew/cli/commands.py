"""The command table; it imports nothing heavy, so that help is there at once."""

import re
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError

from captionstew.cli.parser import Command

GROUPS = ("Look", "Make", "Learn")


def overview(version: str) -> str:
    """All commands on one screen."""
    lines = ["captionstew <command>     open audio-caption corpora into Parquet shards", ""]
    for group in GROUPS:
        commands = [command for command in COMMANDS if command.group == group]
        for title, c in zip([group, *[""] * len(commands)], commands, strict=False):
            lines.append(f" {title:6}{c.name:9} {c.overview:38} {c.example}".rstrip())
    lines += [
        "",
        "Start here: captionstew build sampler     240 sounds, made without a network",
        "Every command has --help (with examples), --json and --quiet",
        "Exit codes: 0 done, 1 you can fix it, 2 usage, 3 incomplete: run it again,",
        f"            4 not valid, 130 interrupted: work is saved    captionstew {version}",
    ]
    return "\n".join(lines)


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise ArgumentTypeError(f'"{text}" is not a whole number') from None
    if number < 1:
        raise ArgumentTypeError(f"{text} is too few; 1 or more")
    return number


def _none(_parser: ArgumentParser) -> None:
    """No arguments of its own."""


def _corpora(parser: ArgumentParser) -> None:
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="one corpus in full; without it, a table of all"
    )


def _recipes(parser: ArgumentParser) -> None:
    parser.add_argument("action", metavar="show|copy", nargs="?", help="without it, a list of all recipes")
    parser.add_argument("name", metavar="NAME", nargs="?", help="a recipe, or a corpus")
    parser.add_argument("file", metavar="FILE", nargs="?", help="copy: the file to write")


def _order(parser: ArgumentParser, recipes: str | None = None) -> None:
    add = parser.add_argument
    add(
        "recipe",
        metavar="RECIPE",
        nargs=recipes,
        help="a recipe (captionstew recipes), a .py file, or the name of one corpus",
    )
    add("--out", metavar="DIR", help="where it is built; build/<recipe> if not said")
    add(
        "--audio",
        metavar="NAME=DIR",
        action="append",
        default=[],
        help="where a corpus lies: annotations or audio",
    )
    add(
        "--from",
        metavar="PATH",
        dest="source",
        help="recipe folder: your data, a folder or a .csv .jsonl .parquet",
    )
    add("--only", metavar="NAME", action="append", default=[], help="build only this corpus of the recipe")
    add("--limit", metavar="N", type=_number, help="at most N clips of each corpus, for trying things out")
    help = "a language model adds captions: http://HOST:PORT, @FILE of enrich serve, vllm, transformers"
    add("--enrich", metavar="WHERE", help=help)
    help = "400k, 1m, 4m or 10m: that share of every corpus, the smaller inside the larger"
    add("--subset", metavar="SIZE", help=help)
    add(
        "--set",
        metavar="FIELD=VALUE",
        action="append",
        default=[],
        help="change a field of a stage: codec=opus",
    )
    add(
        "--offline",
        action="store_true",
        help="ask nothing of the network: what was fetched before, and --audio",
    )
    help = "none: this process; local: Ray here; ADDRESS: a Ray cluster; auto (default) chooses by size"
    add("--cluster", metavar="WHERE", default="auto", help=help)


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", text)
    if not match:
        raise ArgumentTypeError(f'"{text}" is no size: 500GB, 2TB')
    return round(float(match[1]) * float(1000 ** " kMGT".index(match[2] or " ")))


def _fetch(parser: ArgumentParser) -> None:
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


def _plan(parser: ArgumentParser) -> None:
    _order(parser)
    parser.add_argument("--save", metavar="FILE", help="where the plan is written; plan.jsonl if not said")
    help = "ask servers for sizes that the facts do not say; nothing is downloaded"
    parser.add_argument("--ask", action="store_true", help=help)


def _enrich(parser: ArgumentParser) -> None:
    from captionstew.cli.serve import options

    made = {"sample": _sample, "compare": _compare, "captions": _order, "audit": _audit, "serve": options}
    actions = parser.add_subparsers(dest="action", metavar="|".join(made), required=True)
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


def _build(parser: ArgumentParser) -> None:
    _order(parser, "?")
    help = "build exactly what captionstew plan has planned, with no other options"
    parser.add_argument("--plan", metavar="FILE", help=help)
    parser.add_argument("--fresh", action="store_true", help="forget what was done here and begin again")


def _attach(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("release", metavar="RELEASE", help="a folder, or hf://ORG/NAME[@TAG], with a captions tier")
    help = "where your audio of a corpus lies; what captionstew fetch has brought needs none"
    add("--audio", metavar="NAME=DIR", action="append", default=[], help=help)
    add("--out", metavar="DIR", help="where it is built; build/<recipe>-attached if not said")
    add("--codec", metavar="CODEC", help="flac, opus or pcm-zstd; that of the release if not said")
    add("--only", metavar="NAME", action="append", default=[], help="attach only this corpus")
    add("--limit", metavar="N", type=_number, help="at most N clips of each corpus, for trying things out")
    help = "keep copies with other samples than the published ones, if they sound the same"
    add("--accept-other-audio", action="store_true", help=help)
    help = "what is missing or other, clip by clip: .csv or .parquet (OUT/attach.csv)"
    add("--list", metavar="FILE", help=help)
    add("--dry-run", action="store_true", help="say which clips are here, and attach nothing")
    add("--offline", action="store_true", help="fetch no annotations: what was fetched before, and --audio")
    help = "none: this process; local: Ray here; ADDRESS: a Ray cluster; auto (default) chooses by size"
    add("--cluster", metavar="WHERE", default="auto", help=help)
    add("--fresh", action="store_true", help="forget what was done here and begin again")


def _folder(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", help="a folder that captionstew built, or is building")


def _inspect(parser: ArgumentParser) -> None:
    help = "a folder that captionstew built or published, or hf://ORG/NAME[@TAG]"
    parser.add_argument("folder", metavar="DIR", help=help)
    parser.add_argument("--clip", metavar="ID", help="one clip, with its waveform and spectrogram")
    parser.add_argument("--play", action="store_true", help="play the clip")
    parser.add_argument("--png", metavar="FILE", help="draw the clip: waveform and spectrogram with axes")
    parser.add_argument("--schema", action="store_true", help="the columns and what they mean")
    parser.add_argument(
        "--limit", metavar="N", type=_number, default=10, help="rows to show, evenly spread (10)"
    )


def _validate(parser: ArgumentParser) -> None:
    help = "a folder that captionstew built, or a release: hf://ORG/NAME[@TAG], or a folder that holds one"
    parser.add_argument("folder", metavar="DIR", help=help)
    help = "decode N clips, evenly spread: instead of all, or of the 24 of a release"
    parser.add_argument("--sample", metavar="N", type=_number, help=help)
    help = "where an evaluation set lies, to look for its clips once more"
    parser.add_argument("--audio", metavar="NAME=DIR", action="append", default=[], help=help)


def _report(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="DIR", help="a build, or a release: a folder or hf://ORG/NAME[@TAG]")
    add("--out", metavar="FILE", help="where to write; report.html in the build if not said")
    add("--public", action="store_true", help="leave out sound and text that may not be passed on")
    add("--clips", metavar="N", type=_number, default=24, help="clips to listen to (24)")
    add("--against", metavar="DIR", help="an earlier build, or a release (hf://...): what changed since")


def _publish(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", metavar="BUILD", help="a folder that captionstew built")
    add(
        "repository",
        metavar="ORG/NAME",
        help="the dataset on the Hugging Face Hub; it is made if there is none",
    )
    help = "audio (default): whatever the licenses allow; captions: no audio; audio-nc: non-commercial audio too, gated"
    add("--tier", choices=("audio", "captions", "audio-nc"), default="audio", help=help)
    add("--private", action="store_true", help="a new repository that only its organisation sees")
    add("--tag", metavar="vX.Y.Z", default="", help="the version; the one that has to follow if not said")
    add("--dry-run", action="store_true", help="write the whole repository into BUILD/release, send nothing")
    add("--yes", action="store_true", help="do not ask")
    add(
        "--remove",
        metavar="FILE",
        help="clips to take down for good: .csv .jsonl .parquet of clip_id, reason, date",
    )
    add(
        "--note",
        metavar="TEXT",
        action="append",
        default=[],
        help="a line for the changelog; may be repeated",
    )
    add("--without", metavar="NAME", action="append", default=[], help="leave a corpus out, its captions too")
    help = "publish captions of a model whose license we do not know, and say why that is right"
    add("--allow-model", metavar="NAME=NOTE", action="append", default=[], help=help)


def _train(parser: ArgumentParser) -> None:
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


def _import(parser: ArgumentParser) -> None:
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
    help = "change a field of a stage: codec=opus"
    add("--set", metavar="FIELD=VALUE", action="append", default=[], help=help)
    help = "none: this process; local: Ray here; ADDRESS: a Ray cluster; auto (default) chooses by size"
    add("--cluster", metavar="WHERE", default="auto", help=help)
    add("--fresh", action="store_true", help="forget what was done here and begin again")


def _export(parser: ArgumentParser) -> None:
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


COMMANDS = (
    Command(
        "doctor", "Look", "What this machine can do, and the exact fix for what it cannot.",
        "what this machine can do, and cannot", "", _none,
        (("doctor", "one line per ability"), ("doctor --json", "for a script"),
         ("doctor && captionstew build sampler", "build if nothing is missing")),
    ),
    Command(
        "corpora", "Look", "The open corpora we know: size, license, what may be published, how to get the audio.",
        "open corpora: size, license, access", "corpora clotho", _corpora,
        (("corpora", "a table of all"), ("corpora clotho", "files, licenses, traps, citation of one"),
         ("corpora clotho --json", "every fact, for a script")),
    ),
    Command(
        "recipes", "Look", "Lists of stages that make a data set: list, look at, copy and change.",
        "what can be built: list, show, copy", "recipes show paper", _recipes,
        (("recipes", "all of them"), ("recipes show paper", "one in full: a page of Python"),
         ("recipes copy stew mine.py", "a copy to change, then build")),
    ),
    Command(
        "inspect", "Look", "What a build or a release holds: rows, columns, or one clip in full, to see and to hear.",
        "rows, columns, one clip", "inspect build/sampler", _inspect,
        (("inspect build/sampler", "ten rows"), ("inspect build/sampler --clip sampler:stew-000009@60", "one clip"),
         ("inspect build/mine --clip folder:a.wav --png a.png", "a picture")),
    ),
    Command(
        "plan", "Make", "What a build would fetch, do, skip and cost, and a file that build --plan follows. "
        "Reads facts, annotations and listings; downloads nothing, opens no audio.",
        "what a build would fetch, do and cost", "plan stew", _plan,
        (("plan stew", "all of it"),
         ("plan paper --only clotho --audio clotho=~/clotho", "a part of it"),
         ("plan folder --from ~/sounds --set codec=opus", "another codec")),
    ),
    Command(
        "fetch", "Make", "Corpora from the network, verified. Stop it any time: the same command continues.",
        "download corpora that are open", "fetch clotho", _fetch,
        (("fetch clotho --dry-run", "what would come, and how much"),
         ("fetch clotho esc50 --to /data/stew", "elsewhere"),
         ("fetch musiccaps --only annotations", "without the audio")),
    ),
    Command(
        "build", "Make", "Build shards from a recipe. Stop it any time: the same command continues.",
        "do it; run again to resume", "build sampler", _build,
        (("build sampler", "no network"),
         ("build folder --from ~/pairs.csv --out build/mine", "your own data"),
         ("build clotho --audio clotho=~/clotho --limit 100", "one corpus")),
    ),
    Command(
        "import", "Make", "A Lhotse manifest of cuts with captions becomes shards, checked at the end. Only audio "
        "files are opened: a command or an address in a manifest is never followed.",
        "shards from a Lhotse manifest", "import cuts.jsonl.gz ...", _import,
        (("import cuts.jsonl.gz --license CC-BY-4.0", "audio where it says"),
         ("import cuts.jsonl.gz --audio-root ~/audio", "made elsewhere"),
         ("import cuts.jsonl.gz --style machine", "captions by a model")),
    ),
    Command(
        "enrich", "Make", "Captions by a language model: look at some, compare two prompts, make them without audio, "
        "have them judged by people, or start its servers.",
        "try a language model's captions", "enrich sample stew ...", _enrich,
        (("enrich sample stew --enrich vllm", "look at some"),
         ("enrich audit build/stew --n 200", "a sheet for people to judge"),
         ("enrich serve lmsys/vicuna-7b-v1.5", "vLLM here")),
    ),
    Command(
        "status", "Make", "Where a build is: done, left, dropped. Works while it runs and after it was stopped.",
        "where a build is: done, left, dropped", "status build/sampler", _folder,
        (("status build/sampler", "stage by stage"), ("status build/paper --json", "for a script"),
         ("watch captionstew status build/paper", "again and again")),
    ),
    Command(
        "attach", "Make", "A captions release and the audio that you have, joined: the shards that a direct build "
        "would write. Stop it any time: the same command continues.",
        "join a captions release to your audio", "attach hf://ORG/NAME ...", _attach,
        (("attach stew/ --audio clotho=DIR --dry-run", "what is here"),
         ("attach hf://ORG/NAME@v1.0.0 --audio clotho=DIR", "one version"),
         ("attach stew/ --audio clotho=DIR --codec opus", "smaller files")),
    ),
    Command(
        "validate", "Make", "Every promise of a build or release, checked against its files; exit 4 if one is broken.",
        "every promise, checked on the files", "validate build/sampler", _validate,
        (("validate build/paper --sample 2000", "decode a part"),
         ("validate build/paper --audio clotho=~/clotho", "look for test clips"),
         ("validate hf://org/Stew@v1.0.0", "a published one")),
    ),
    Command(
        "publish", "Make", "A build as a dataset on the Hugging Face Hub: what its licenses allow, with a card and a "
        "version. Shows the plan and asks once. Stop it any time: the same command continues.",
        "plan, check, upload, tag", "publish build/stew ...", _publish,
        (("publish build/stew org/Stew --dry-run", "sends nothing"),
         ("publish build/stew org/Stew --tier captions", "no audio"),
         ("publish build/stew org/Stew --remove gone.csv", "take clips down")),
    ),
    Command(
        "report", "Look", "One HTML page of a build: listen, read, see where clips went and what may be published.",
        "one page to look and listen", "report build/sampler", _report,
        (("report build/sampler", "into build/sampler/report.html"),
         ("report build/paper --public", "to pass on"),
         ("report build/paper --against old", "what changed")),
    ),
    Command(
        "train", "Learn", "Pretrain an audio encoder on a build. Stop it any time: the same command continues.",
        "pretrain; run again to resume", "train hybrid --data ...", _train,
        (("train contrastive_small --data build/sampler", "on one CPU"),
         ("train contrastive --data build/stew --gpus 8", "as the paper"),
         ("train captioning_small --data ~/pairs.csv", "your own pairs")),
    ),
    Command(
        "export", "Learn", "For other tools: a run's encoder for transformers, or a build's clips for Lhotse, "
        "webdataset or anything that reads JSON lines. Stop it any time: the same command continues.",
        "an encoder, or clips, for other tools", "export runs/contrastive", _export,
        (("export runs/mine", "for transformers"),
         ("export build/stew --to webdataset", "tars, a key per clip"),
         ("export build/stew --to lhotse --out shar", "a folder per split")),
    ),
)  # fmt: skip
