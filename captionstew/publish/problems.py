"""What a card says of known problems: traps of the corpora, what could not be compared, captions that repeat."""

from collections.abc import Iterable

from captionstew.corpora.facts import Corpus
from captionstew.figures import plural
from captionstew.publish.contents import Release
from captionstew.publish.facts import Compared, compared
from captionstew.publish.markdown import NONE, bullets, code, share, table, text, words
from captionstew.publish.prose import prose
from captionstew.shards.manifest import Repeat

_METHODS = {
    "key": "by id and time",
    "upload": "by upload",
    "blocklist": "on a block list",
    "fingerprint": "by sound",
}
_FEW = 0.01  # of captions: below, repeats are no problem to speak of


def problems(release: Release) -> str:
    """Everything known, in four parts; a part with nothing in it says so."""
    return "\n\n".join([
        "### In the corpora", _traps(release.corpora),
        "### Overlap with evaluation sets", _overlap(release),
        "### Captions that repeat", _repeats(release.manifest.repeats),
        "### Not checked", _unchecked(release.corpora),
    ])  # fmt: skip


def _traps(corpora: Iterable[Corpus]) -> str:
    """Corpus by corpus, each as a list of its own."""
    told = [f"**{text(one.title)}**\n\n{bullets(map(words, one.traps))}" for one in corpora if one.traps]
    return "\n\n".join(told) or NONE


def _overlap(release: Release) -> str:
    """A table of the sets that were compared with, by the methods that had something to compare, and the gaps."""
    every, said = compared(release.manifest), prose("card")
    methods = [method for method in _METHODS if any(one.items.get(method) for one in every)]
    if not methods:
        return str(said["uncompared"]).strip()
    rows = [(text(one.against), *(_cell(one, method) for method in methods)) for one in every]
    head = ("evaluation set", *(_METHODS[method] for method in methods))
    parts = [said["overlap"].strip(), table(head, rows)]
    missing = [name for method, name in _METHODS.items() if method not in methods]
    parts += [f"No set was compared {' or '.join(missing)}."] if missing else []
    unheard = [text(one.against) for one in every if not one.items.get("fingerprint")]
    if unheard and "fingerprint" in methods:
        parts.append(
            f"No audio was at hand to compare by sound with {plural(len(unheard), 'set')}: {', '.join(unheard)}."
        )
    return "\n\n".join(parts)


def _cell(one: Compared, method: str) -> str:
    """Clips that were found of so many items; a method that had nothing to compare with says so."""
    if not one.items.get(method):
        return "not compared"
    found = one.found.get(method, {})
    names = ", ".join(f"{text(corpus)} {number:,}" for corpus, number in sorted(found.items()))
    return f"{sum(found.values()):,} of {one.items[method]:,}" + (f" ({names})" if names else "")


def _repeats(repeats: Iterable[Repeat]) -> str:
    worth = [one for one in repeats if one.captions and one.repeated >= _FEW * one.captions]
    head = (
        "captions of",
        "style",
        "captions:",
        "on several clips:",
        "share:",
        "clips with one text, at most:",
    )
    return table(head, [
        (text(one.source), text(one.style), f"{one.captions:,}", f"{one.repeated:,}", share(one.repeated, one.captions),
         f"{one.most:,}")
        for one in worth
    ])  # fmt: skip


def _unchecked(corpora: Iterable[Corpus]) -> str:
    lines = [
        f"**{text(one.title)}**: {', '.join(code(name) for name in one.unchecked)}"
        for one in corpora
        if one.unchecked
    ]
    listed = bullets(lines)
    return f"{prose('card')['unchecked'].strip()}\n\n{listed}" if lines else listed
