"""The command table; it imports nothing heavy, so that help is there at once."""

from captionstew.cli import arguments
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


COMMANDS = (
    Command(
        "doctor", "Look", "What this machine can do, and the exact fix for what it cannot.",
        "what this machine can do, and cannot", "", arguments.none,
        (("doctor", "one line per ability"), ("doctor --json", "for a script"),
         ("doctor && captionstew build sampler", "build if nothing is missing")),
    ),
    Command(
        "corpora", "Look", "The open corpora we know: size, license, what may be published, how to get the audio.",
        "open corpora: size, license, access", "corpora clotho", arguments.corpora,
        (("corpora", "a table of all"), ("corpora clotho", "files, licenses, traps, citation of one"),
         ("corpora clotho --json", "every fact, for a script")),
    ),
    Command(
        "recipes", "Look", "Lists of stages that make a data set: list, look at, copy and change.",
        "what can be built: list, show, copy", "recipes show paper", arguments.recipes,
        (("recipes", "all of them"), ("recipes show paper", "one in full: a page of Python"),
         ("recipes copy stew mine.py", "a copy to change, then build")),
    ),
    Command(
        "inspect", "Look", "What a build or a release holds: rows, columns, or one clip in full, to see and to hear.",
        "rows, columns, one clip", "inspect build/sampler", arguments.inspect,
        (("inspect build/sampler", "ten rows"), ("inspect build/sampler --clip sampler:stew-000009@60", "one clip"),
         ("inspect build/mine --clip folder:a.wav --png a.png", "a picture")),
    ),
    Command(
        "plan", "Make", "What a build would fetch, do, skip and cost, and a file that build --plan follows. "
        "Reads facts, annotations and listings; downloads nothing, opens no audio.",
        "what a build would fetch, do and cost", "plan stew", arguments.plan,
        (("plan stew", "all of it"),
         ("plan paper --only clotho --audio clotho=~/clotho", "a part of it"),
         ("plan folder --from ~/sounds --set codec=opus", "another codec")),
    ),
    Command(
        "fetch", "Make", "Corpora from the network, verified. Stop it any time: the same command continues.",
        "download corpora that are open", "fetch clotho", arguments.fetch,
        (("fetch clotho --dry-run", "what would come, and how much"),
         ("fetch clotho esc50 --to /data/stew", "elsewhere"),
         ("fetch musiccaps --only annotations", "without the audio")),
    ),
    Command(
        "build", "Make", "Build shards from a recipe. Stop it any time: the same command continues.",
        "do it; run again to resume", "build sampler", arguments.build,
        (("build sampler", "no network"),
         ("build folder --from ~/pairs.csv --out build/mine", "your own data"),
         ("build clotho --audio clotho=~/clotho --limit 100", "one corpus")),
    ),
    Command(
        "import", "Make", "A Lhotse manifest of cuts with captions becomes shards, checked at the end. Only audio "
        "files are opened: a command or an address in a manifest is never followed.",
        "shards from a Lhotse manifest", "import cuts.jsonl.gz ...", arguments.import_,
        (("import cuts.jsonl.gz --license CC-BY-4.0", "audio where it says"),
         ("import cuts.jsonl.gz --audio-root ~/audio", "made elsewhere"),
         ("import cuts.jsonl.gz --style machine", "captions by a model")),
    ),
    Command(
        "enrich", "Make", "Captions by a language model: look at some, compare two prompts, make them without audio, "
        "have them judged by people, calibrate the event detector, or start the model's servers.",
        "try a language model's captions", "enrich sample stew ...", arguments.enrich,
        (("enrich sample stew --enrich vllm", "look at some"),
         ("enrich audit build/stew --n 200", "a sheet for people to judge"),
         ("enrich serve lmsys/vicuna-7b-v1.5", "vLLM here")),
    ),
    Command(
        "status", "Make", "Where a build is: done, left, dropped. Works while it runs and after it was stopped.",
        "where a build is: done, left, dropped", "status build/sampler", arguments.folder,
        (("status build/sampler", "stage by stage"), ("status build/paper --json", "for a script"),
         ("watch captionstew status build/paper", "again and again")),
    ),
    Command(
        "attach", "Make", "A captions release and the audio that you have, joined: the shards that a direct build "
        "would write. Stop it any time: the same command continues.",
        "join a captions release to your audio", "attach hf://ORG/NAME ...", arguments.attach,
        (("attach stew/ --audio clotho=DIR --dry-run", "what is here"),
         ("attach hf://ORG/NAME@v1.0.0 --audio clotho=DIR", "one version"),
         ("attach stew/ --audio clotho=DIR --codec opus", "smaller files")),
    ),
    Command(
        "validate", "Make", "Every promise of a build or release, checked against its files; exit 4 if one is broken.",
        "every promise, checked on the files", "validate build/sampler", arguments.validate,
        (("validate build/paper --sample 2000", "decode a part"),
         ("validate build/paper --audio clotho=~/clotho", "look for test clips"),
         ("validate hf://org/Stew@v1.0.0", "a published one")),
    ),
    Command(
        "publish", "Make", "A build as a dataset on the Hugging Face Hub: what its licenses allow, with a card and a "
        "version. Shows the plan and asks once. Stop it any time: the same command continues.",
        "plan, check, upload, tag", "publish build/stew ...", arguments.publish,
        (("publish build/stew org/Stew --dry-run", "sends nothing"),
         ("publish build/stew org/Stew --tier captions", "no audio"),
         ("publish build/stew org/Stew --remove gone.csv", "take clips down")),
    ),
    Command(
        "report", "Look", "One HTML page of a build: listen, read, see where clips went and what may be published.",
        "one page to look and listen", "report build/sampler", arguments.report,
        (("report build/sampler", "into build/sampler/report.html"),
         ("report build/paper --public", "to pass on"),
         ("report build/paper --against old", "what changed")),
    ),
    Command(
        "train", "Learn", "Pretrain an audio encoder on a build. Stop it any time: the same command continues.",
        "pretrain; run again to resume", "train hybrid --data ...", arguments.train,
        (("train contrastive_small --data build/sampler", "on one CPU"),
         ("train contrastive --data build/stew --gpus 8", "as the paper"),
         ("train captioning_small --data ~/pairs.csv", "your own pairs")),
    ),
    Command(
        "export", "Learn", "For other tools: a run's encoder for transformers, or a build's clips for Lhotse, "
        "webdataset or anything that reads JSON lines. Stop it any time: the same command continues.",
        "an encoder, or clips, for other tools", "export runs/contrastive", arguments.export,
        (("export runs/mine", "for transformers"),
         ("export build/stew --to webdataset", "tars, a key per clip"),
         ("export build/stew --to lhotse --out shar", "a folder per split")),
    ),
)  # fmt: skip
