"""The page that lies beside an export: what is here, under which licences, and how to read it."""

from collections.abc import Iterable

from captionstew.interchange.choose import Count, Plan
from captionstew.interchange.form import Form
from captionstew.shards.manifest import Manifest


def readme(form: Form, plan: Plan, manifest: Manifest) -> str:
    """Markdown; every number is counted from the rows."""
    clips, captions = plan.num_clips, sum(count.captions for count in plan.counts)
    hours = sum(count.seconds for count in plan.counts) / 3600
    left = ", ".join(f"{name} {number:,}" for name, number in plan.left_out.items() if number)
    return _PAGE.format(
        recipe=manifest.recipe,
        form=form.name,
        clips=f"{clips:,}",
        captions=f"{captions:,}",
        hours=f"{hours:,.2f}",
        left=f" Of {plan.received:,} clips these were not chosen: {left}." if left else "",
        rows="\n".join(_rows(plan.counts)),
        loading=form.loading(plan).strip(),
    )


def _rows(counts: Iterable[Count]) -> Iterable[str]:
    for one in counts:
        numbers = f"{one.clips:,} | {one.captions:,} | {one.seconds / 3600:,.2f}"
        yield f"| {one.corpus} | {one.split} | `{one.license}` | {numbers} |"


_PAGE = """# {recipe}, as {form}

{clips} clips, {captions} captions, {hours} hours, exported by CaptionStew.{left}
`export.json` has every file with its hash.

| corpus | split | license of the audio | clips | captions | hours |
| --- | --- | --- | --- | --- | --- |
{rows}

The license is that of each clip, in its `license`, and does not change by being exported: who passes the clips on
keeps to it, and names whom `attribution` names.

## To read it

{loading}
"""
