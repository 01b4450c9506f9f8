"""Releases of a few tones, made by the very stages that publish: several tiers, a model's captions, hostile words."""

from pathlib import Path
from typing import Any

from captionstew.enrich.prompt import prompt
from captionstew.publish.assemble import Repository, write_folder
from captionstew.publish.contents import Release, Removal
from captionstew.publish.documents import documents
from captionstew.publish.prepare import Order, Prepared, Standing, prepare
from captionstew.shards.manifest import Enrichment, Leak, Repeat, Tally

from .builds import Row, caption, clip, make_build

NC, SA, YOUTUBE, MODEL = "CC-BY-NC-4.0", "CC-BY-SA-4.0", "LicenseRef-YouTube", "lmsys/vicuna-7b-v1.5"
HOSTILE = 'a | dog `barks`\n## <script>alert(1)</script> [x](javascript:y) <img src="z" onerror=w> https://evil.example'
RECIPE = {
    "captionstew": "0.1.0",
    "recipe": "test",
    "corpora": ["sampler-audiocaps", "fsd50k", "audiocaps", "libritts-p"],
    "stages": [{"stage": "Read", "version": 1}, {"stage": "Enrich", "version": 1, "endpoint": "http://inside:1/v1",
                "store": "/home/mira/answers", "prompts": ["/home/mira/mine.toml"]}],
}  # fmt: skip


def clips() -> list[Row]:
    """Rows of four corpora under five licences; the first two have hostile words, some a caption by a model."""
    rows = [clip(n, "sampler-audiocaps", "CC0-1.0") for n in range(12)]
    rows += [clip(n, "sampler-audiocaps", "CC0-1.0", "test") for n in range(12, 15)]
    rows += [clip(n, "fsd50k", ("CC0-1.0", NC, SA)[n % 3]) for n in range(30, 39)]
    rows += [clip(n, "audiocaps", YOUTUBE, "test") for n in range(40, 44)]
    rows += [clip(n, "libritts-p", "CC-BY-4.0", domain="speech") for n in range(50, 53)]
    for row in rows[:2]:
        row["captions"], row["events"] = [caption(HOSTILE, row["corpus"])], [{"label": HOSTILE, "score": 0.5}]
        row["attribution"], row["source_url"] = HOSTILE, "javascript:alert(1)"
    for row in rows[2:5]:
        made = caption("a made up tone", "llm", f"{MODEL}@main") | {"prompt": prompt("flap").label}
        row["captions"] = [*row["captions"], made]
    return rows


def tally() -> Tally:
    """What stages counted besides: a leak, a set without audio, a text that repeats, a prompt with an alarm."""
    leaks = (
        Leak("clotho", "key", 100, {"fsd50k": 2}),
        Leak("clotho", "fingerprint", 90, {}),
        Leak("esc50", "key", 40, {}),
        Leak("esc50", "fingerprint", 0, {}),
    )
    repeats = (Repeat("fsd50k", "human", 100, 60, 50, 7), Repeat("audiocaps", "human", 1000, 999, 2, 2))
    made = Enrichment(
        prompt("flap").label, "enriched", MODEL, "main", 10, 5, 3, 1, 2, {"lost-event": 2}, 900, 60, 8.0, 20, 3,
        0.5, 0.6, 0.125, 0.75, 0.9, ("opener: 3 of 3 begin with `a made up`",),
    )  # fmt: skip
    return Tally(leaks, repeats, (made,))


def prepared(
    folder: Path, rows: list[Row] | None = None, standing: Standing | None = None, **order: Any
) -> Prepared:
    """The next release of a build of these rows."""
    if not (folder / "manifest.json").exists():
        make_build(folder, clips() if rows is None else rows, tally=tally())
    asked: dict[str, Any] = {"repository": "mira/Stew", "recipe": RECIPE, "tier": "audio-nc"}
    return prepare(Order(folder, **(asked | order)), standing or Standing(), documents)


def rich(folder: Path) -> Release:
    """A release with all tiers, one clip taken down."""
    taken = Removal("fs:000005", "asked for by its author | by mail", "2026-11-01", "")
    return prepared(folder, removals=(taken,)).release


def written(release: Release, folder: Path, date: str = "2026-11-21") -> Path:
    """The folder of a release as its repository looks."""
    texts = documents(release, date)
    write_folder(Repository(release, texts | {"manifest.json": release.manifest.encode()}), folder)
    return folder
