"""README.md: the card of a release, as a visitor of the Hub reads it; every number comes from the manifest."""

from collections.abc import Iterable, Mapping, Sequence

import yaml  # type: ignore[import-untyped]

from captionstew.corpora.facts import Corpus
from captionstew.figures import plural
from captionstew.publish.configs import ENRICHED, Config, configs
from captionstew.publish.contents import Release
from captionstew.publish.enrichment import enrichment
from captionstew.publish.examples import Example, shown
from captionstew.publish.facts import Amount, CorpusFacts, Facts, facts
from captionstew.publish.header import header, title
from captionstew.publish.licenses import matrix, matrix_table, named
from captionstew.publish.losses import losses
from captionstew.publish.markdown import (
    NONE,
    bullets,
    code,
    details,
    enumerated,
    fence,
    hours,
    link,
    size,
    table,
    text,
)
from captionstew.publish.problems import problems
from captionstew.publish.prose import filled, prose
from captionstew.publish.references import references

_STYLES = {
    "human": "written by people", "machine": "written by a model", "template": "filled templates",
    "label": "labels as text",
}  # fmt: skip


def card(release: Release, examples: Sequence[Example]) -> str:
    """The whole of README.md: header, then the sections in the order in which people ask."""
    every = configs(release)
    top = yaml.safe_dump(header(release, every), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{top}---\n\n" + "\n\n".join(_body(release, every, examples)) + "\n"


def _body(release: Release, every: Sequence[Config], examples: Sequence[Example]) -> list[str]:
    words = prose("card")
    held = facts(release.manifest)
    return [
        f"# {text(title(release))}",
        _summary(release, held.whole, len(held.corpora)),
        _snippet(release, every), _configs(every), _columns(every),
        *_listen(release, examples),
        "## Corpora", _corpora(release.corpora, held),
        "## How the captions were made", _captions(release.corpora), enrichment(release),
        "## What was left out", losses(release.manifest),
        "## Known problems", problems(release),
        "## Licenses and attribution", filled(words["licenses"], _names(release)),
        matrix_table(matrix(release.manifest, release.corpora)),
        *([filled(words["speech"], {})] if any(one.domain == "speech" for one in release.corpora) else []),
        "## Citation", filled(words["citation"], _names(release)), fence("\n\n".join(references(release)), "bibtex"),
        "## Take-down", filled(words["takedown"], _names(release)), _removed(release),
        "## More", filled(words["more"], _names(release)),
    ]  # fmt: skip


def _names(release: Release) -> dict[str, str]:
    """What the sentences name."""
    domains = sorted({corpus.domain for corpus in release.corpora}, reverse=True) or ["sound"]
    return {
        "repository": release.repository,
        "tag": release.tag,
        "address": f"https://huggingface.co/datasets/{release.repository}",
        "recipe": text(release.manifest.recipe),
        "domains": enumerated(domains),
    }


def _summary(release: Release, whole: Amount, corpora: int) -> str:
    counts = [plural(whole.clips, "clip"), f"{hours(whole.hours)} hours", plural(whole.captions, "caption"),
              plural(corpora, "corpus"), f"version {text(release.tag)}"]  # fmt: skip
    return f"**{' · '.join(counts)}**\n\n" + filled(prose("card")["intro"], _names(release))


def _snippet(release: Release, every: Sequence[Config]) -> str:
    """Three lines that work as they are, with nothing installed but `datasets`."""
    first = every[0]
    split = next(iter(first.splits))
    arguments = (
        f'"{release.repository}", "{first.name}", split="{split}", streaming=True, revision="{release.tag}"'
    )
    lines = ["from datasets import load_dataset", f"clips = load_dataset({arguments})",
             'print(next(iter(clips.decode(False)))["captions"])']  # fmt: skip
    note = prose("card")["decoding"] if any(one.tier != "captions" for one in every) else ""
    return fence("\n".join(lines), "python") + (f"\n\n{note.strip()}" if note else "")


def _configs(every: Sequence[Config]) -> str:
    head = ("config", "what it holds", "splits", "clips:", "hours:", "size:")
    listed = [one for one in every if not one.corpus]
    rows = [
        (code(one.name), one.about, ", ".join(f"{name} {amount.clips:,}" for name, amount in one.splits.items()),
         f"{one.whole.clips:,}", hours(one.whole.hours) if one.tier != ENRICHED else "", size(one.whole.bytes))
        for one in listed
    ]  # fmt: skip
    single = [one for one in every if one.corpus]
    also = f"\n\nEach corpus by itself: {', '.join(code(one.name) for one in single)}." if single else ""
    return f"{prose('card')['configs'].strip()}\n\n{table(head, rows)}{also}"


def _columns(every: Sequence[Config]) -> str:
    """The contract of the first config, behind a line."""
    contract = every[0].schema
    rows = contract.markdown().partition("\n\n")[2].strip()
    return details(f"The {len(contract.names)} columns of <code>{contract.key}</code>", rows)


def _listen(release: Release, examples: Sequence[Example]) -> list[str]:
    """Rows as they are; to be played where the audio may stand here."""
    title = "## Listen" if any(one.path for one in examples) else "## Example rows"
    viewer = link("All rows", f"https://huggingface.co/datasets/{release.repository}/viewer")
    rows = "\n\n---\n\n".join(shown(one, release) for one in examples) or NONE
    return [title, rows, "---", f"First captioned clips, not the best ones. {viewer} in the viewer."]


def _corpora(known: Iterable[Corpus], held: Facts) -> str:
    """A row per corpus, and one of all where there are several."""
    titles = {corpus.name: corpus for corpus in known}
    splits = list(held.splits)
    head = ("corpus", "domain", "clips:", f"{' / '.join(splits)}:", "hours:", "captions:", "per clip:",
            "license of the audio", "in")  # fmt: skip
    rows = [_corpus(one, titles.get(one.name), splits) for one in held.corpora]
    total = ("**all**", "", *_amounts(held.whole, held.splits, splits), "", "")
    return table(head, [*rows, total] if len(rows) > 1 else rows)


def _corpus(held: CorpusFacts, corpus: Corpus | None, splits: Sequence[str]) -> tuple[str, ...]:
    licenses = [one.license for one in held.licenses]
    name = link(corpus.title, corpus.homepage) if corpus else text(held.name)
    amounts = _amounts(held.whole, held.splits, splits)
    return (name, corpus.domain if corpus else "", *amounts, named(licenses, 2), ", ".join(held.tiers))


def _amounts(whole: Amount, by_split: Mapping[str, Amount], splits: Sequence[str]) -> tuple[str, ...]:
    clips = " / ".join(f"{by_split[split].clips:,}" if split in by_split else "0" for split in splits)
    counts = (f"{whole.clips:,}", clips, hours(whole.hours), f"{whole.captions:,}")
    return (*counts, f"{whole.captions_per_clip:.1f}")


def _captions(corpora: Iterable[Corpus]) -> str:
    """Who wrote the captions of each corpus."""
    rows = [
        (text(corpus.title), _STYLES[made.style] + (f": {text(made.model)}" if made.model else ""),
         text(made.language), code(corpus.license.captions))
        for corpus in corpora
        for made in corpus.captions
    ]  # fmt: skip
    head = ("captions of", "how", "language", "license")
    return f"{prose('card')['captions'].strip()}\n\n{table(head, rows)}"


def _removed(release: Release) -> str:
    """How many clips were taken down so far, by reason."""
    reasons: dict[str, int] = {}
    for one in release.removals:
        reasons[one.reason] = reasons.get(one.reason, 0) + 1
    if not reasons:
        return "Taken down so far: none."
    listed = bullets(f"{text(why)}: {plural(number, 'clip')}" for why, number in sorted(reasons.items()))
    return f"Taken down so far: {plural(len(release.removals), 'clip')}.\n\n{listed}"
