"""What a card says of the captions that a language model wrote: model, prompt, how many passed, how faithful."""

from collections.abc import Iterable

from captionstew.enrich.generators import generators
from captionstew.enrich.prompt import prompt, prompts
from captionstew.figures import plural
from captionstew.publish.contents import Release
from captionstew.publish.facts import generated
from captionstew.publish.markdown import bullets, code, details, fence, link, share, table, text
from captionstew.publish.prose import prose, reason
from captionstew.shards.manifest import Enrichment


def enrichment(release: Release) -> str:
    """The tables of enrichment and every prompt in full; one line where nothing was generated."""
    rows = generated(release.manifest)
    words = prose("card")
    if not rows:
        return str(words["unenriched"]).strip()
    terms = bullets(
        f"{code(one.model)}: {link(one.license.license, one.license.url)}. {text(one.license.says)}"
        for one in generators(rows)
    )
    parts = [
        words["enriched"].strip(),
        terms,
        _asked(rows),
        _rejected(rows),
        _faithful(rows),
        *_prompts(rows),
    ]
    alarms = [text(alarm) for row in rows for alarm in row.alarms]
    return "\n\n".join([*parts, *(["Alarms:\n\n" + bullets(alarms)] if alarms else [])])


def _asked(rows: Iterable[Enrichment]) -> str:
    head = ("prompt", "style", "model", "asked:", "passed:", "clips enriched:", "no answer:", "words each:")
    return table(head, [
        (code(row.prompt), text(row.style), code(f"{row.model}@{row.revision}" if row.revision else row.model),
         f"{row.asked:,}", f"{row.passed:,} ({share(row.passed, row.asked)})",
         share(row.passed, row.clips), f"{row.failed:,}", f"{row.words:.1f}")
        for row in rows
    ])  # fmt: skip


def _rejected(rows: Iterable[Enrichment]) -> str:
    """Why answers were rejected, over all prompts."""
    total: dict[str, int] = {}
    for row in rows:
        for name, number in row.rejected.items():
            total[name] = total.get(name, 0) + number
    ordered = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return table(("answer rejected for", "times:", "what it means"), [
        (code(name), f"{number:,}", text(reason(name))) for name, number in ordered
    ])  # fmt: skip


def _faithful(rows: Iterable[Enrichment]) -> str:
    head = (
        "prompt",
        "distinct words:",
        "texts looked at:",
        "Distinct-1:",
        "Distinct-2:",
        "unsupported events:",
        "events covered:",
        "events of the originals kept:",
    )
    return table(head, [
        (code(row.prompt), f"{row.distinct_words:,}", f"{row.sampled:,}",
         f"{row.distinct_1:.3f}", f"{row.distinct_2:.3f}", *(f"{100 * rate:.1f} %" for rate in (
             row.unsupported_event_rate, row.coverage, row.source_event_recall)))
        for row in rows
    ])  # fmt: skip


def _prompts(rows: Iterable[Enrichment]) -> list[str]:
    """Each prompt as it is sent, if it is still the one that was used."""
    known = {one.label: one for one in map(prompt, prompts())}
    blocks = []
    for label in dict.fromkeys(row.prompt for row in rows):
        if asked := known.get(label):
            turns = "\n\n".join(f"[{one.role}]\n{one.content.strip()}" for one in asked.messages)
            summary = f"The prompt <code>{text(label)}</code>, {plural(len(asked.messages), 'message')}"
            blocks.append(details(summary, fence(turns, "text")))
    return blocks
