"""Of section 1: one clip, with its captions before and after, its events, and what the guard said."""

from collections.abc import Mapping, Sequence
from typing import Any

from captionstew.enrich.evidence import evidence
from captionstew.enrich.guard import KEPT
from captionstew.enrich.item import Item
from captionstew.enrich.items import GENERATED
from captionstew.enrich.reading import read
from captionstew.report import figures
from captionstew.report.html import Html, element, join, link, paragraph
from captionstew.report.material import Heard, Material
from captionstew.report.sections.player import player
from captionstew.report.words import changed, closest

_EVENTS = 8
_CAPTIONS = 6


def card(number: int, one: Heard, material: Material) -> Html:
    """The clip of this number; where it may not be shown, why."""
    row = one.clip.row
    title = element("h3", row["clip_id"], id=f"clip-{number}-name")
    if not one.shown.clip:
        body = paragraph(f"Not shown: {one.shown.why}.", class_="note")
        return _article(number, one, title, _facts(row), body)
    words = element("dl", *_captions(one, material), *_events(one), *_guard(one, material))
    return _article(
        number,
        one,
        title,
        _facts(row),
        join(player(one, f"clip-{number}-name"), element("div", words, class_="words")),
    )


def _article(number: int, one: Heard, title: Html, facts: Html, body: Html) -> Html:
    row = one.clip.row
    verdicts = [made["verdict"] or "failed" for made in one.clip.made]
    heap = [row["clip_id"], row["corpus"], row["split"], row["domain"], row["license"], *verdicts]
    if one.shown.clip:
        heap += [event["label"] for event in row["events"] or ()]
    return element(
        "article",
        element("header", title, facts),
        body,
        class_="clip",
        id=f"clip-{number}",
        tabindex="-1",
        aria_labelledby=f"clip-{number}-name",
        data_words=" ".join(map(str, heap)).lower(),
    )


def _facts(row: Mapping[str, Any]) -> Html:
    parts = [
        row["corpus"],
        row["split"],
        f"{figures.seconds(row['duration'])} s",
        figures.license_name(row["license"]),
        f"by {row['attribution']}" if row["attribution"] else None,
        link("source", row["source_url"]) if row["source_url"] else None,
    ]
    return paragraph(join(*(element("span", part) for part in parts if part), by=" "), class_="meta")


def _captions(one: Heard, material: Material) -> list[Html]:
    """What stood there before enrichment, and after; the words that changed are marked."""
    row = one.clip.row
    captions = [c for c in row["captions"] or () if material.allowed.caption(row, c["source"], c["model"])]
    hidden = len(row["captions"] or ()) - len(captions)
    before = [c["text"] for c in captions if c["source"] != GENERATED]
    after = [(c["text"], c) for c in captions if c["source"] == GENERATED]
    old: list[Html | str] = list(before)
    new = []
    for text, caption in after:
        place = closest(text, before)
        left, right = changed(before[place], text) if place is not None else ("", text)
        if place is not None and old[place] is before[place]:
            old[place] = left
        new.append((right, (caption["prompt"] or caption["model"] or "").partition("@")[0]))
    styles = [_by(c, row["corpus"]) for c in captions if c["source"] != GENERATED]
    first, by = _all_said(list(zip(old, styles, strict=True)))
    shown = first[:_CAPTIONS]
    if len(first) > _CAPTIONS:
        shown.append(element("p", f"and {len(first) - _CAPTIONS} more", class_="note"))
    if hidden:
        shown.append(
            element(
                "p",
                f"{figures.plural(hidden, 'caption')} not shown: the license does not allow it",
                class_="note",
            )
        )
    if not shown:
        shown.append(element("p", "none", class_="note"))
    after_said, by_model = _all_said(new)
    made = _term("After", by_model, after_said) if new else []
    label = "Before" if new else "Caption" if len(before) == 1 else "Captions"
    return [*_term(label, by, shown), *made]


def _term(label: str, by: str, said: Sequence[Html]) -> list[Html]:
    return [element("dt", label, element("small", by) if by else None), element("dd", *said)]


def _all_said(several: Sequence[tuple[Html | str, str]]) -> tuple[list[Html], str]:
    """The captions, each with who made it; where it is the same for all, it is said once, beside the label."""
    alike = len({by for _, by in several}) == 1
    return [_said(text, "" if alike else by) for text, by in several], several[0][1] if alike else ""


def _by(caption: Mapping[str, Any], corpus: str) -> str:
    """How it was made, and by whom where that is not the clip's own corpus."""
    return str(caption["style"]) + ("" if caption["source"] == corpus else f", {caption['source']}")


def _said(text: Html | str, by: str) -> Html:
    note = element("small", by) if by else None
    return element("p", element("span", text, dir="auto"), " ", note, class_="said")


def _events(one: Heard) -> list[Html]:
    row = one.clip.row
    if not row["events"] or not one.shown.texts:
        return []
    certain = {name for made in one.clip.made for name in made["certain"] or ()}
    possible = {name for made in one.clip.made for name in made["possible"] or ()}
    items = []
    for event in sorted(row["events"], key=lambda event: -event["score"])[:_EVENTS]:
        doubt = bool(certain or possible) and event["label"] not in certain
        note = (
            "may be there"
            if event["label"] in possible and doubt
            else "below the threshold"
            if doubt
            else None
        )
        score = element("span", f"{event['score']:.2f}", class_="score")
        items.append(element("li", event["label"], " ", score, class_="doubt" if doubt else None, title=note))
    more = len(row["events"]) - _EVENTS
    rest = [element("li", f"and {more} more", class_="doubt")] if more > 0 else []
    return [element("dt", "Events"), element("dd", element("ul", *items, *rest, class_="events"))]


def _guard(one: Heard, material: Material) -> list[Html]:
    """The verdict on each caption that was asked for."""
    found = [_verdict(one, made, material) for made in one.clip.made]
    return [element("dt", "Guard"), element("dd", *found)] if found else []


def _verdict(one: Heard, made: Mapping[str, Any], material: Material) -> Html:
    """What the guard said, of which text, because of which words, and of which attempts before."""
    notes = [f"earlier attempts: {', '.join(made['rejected'])}"] if made["rejected"] else []
    if made["verdict"] == KEPT:
        if claims := unsupported(one.clip.row, made):
            notes.insert(0, f"no caption or label says: {', '.join(claims)}")
        return paragraph(element("span", "\u2713 kept", class_="good"), " ", _notes(notes))
    if not material.allowed.caption(one.clip.row, GENERATED, made["model"]):
        return paragraph(
            element("span", f"\u2717 {made['verdict'] or 'failed'}", class_="bad"), " ", _notes(notes)
        )
    if about := made["detail"] or made["error"]:
        notes.insert(0, about)
    quoted = element("q", made["text"], dir="auto") if made["text"] else None
    sign = element("span", f"\u2717 {made['verdict'] or 'failed'}", class_="bad")
    return paragraph(sign, " ", quoted, " ", _notes(notes))


def _notes(several: Sequence[str]) -> Html | None:
    return element("small", " \u00b7 ".join(several)) if several else None


def unsupported(row: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """Sounds that a generated caption claims and that no original, label or tag of its clip names."""
    originals = tuple(c["text"] for c in row["captions"] or () if c["source"] != GENERATED)
    item = Item(
        row["clip_id"],
        originals,
        tuple(made["certain"] or ()),
        tuple(made["possible"] or ()),
        tuple(row["tags"] or ()),
        row["domain"],
        row["transcript"],
    )
    source = evidence(item, 0.0)
    return [claim.word for claim in read(made["text"] or "").claims if not source.supports(claim)]
