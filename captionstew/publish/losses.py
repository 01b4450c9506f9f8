"""What a card says of what was left out: received = kept + merged + dropped by corpus, and the reasons."""

from collections.abc import Mapping

from captionstew.publish.facts import MERGED, Flow, Loss, caption_losses, flows
from captionstew.publish.markdown import NONE, code, share, table, text
from captionstew.publish.prose import prose, reason
from captionstew.shards.manifest import Manifest


def losses(manifest: Manifest) -> str:
    """The account by corpus, the reasons for clips, and those for captions of clips that stayed."""
    every = flows(manifest)
    words = prose("card")
    captions = caption_losses(manifest)
    parts = [words["account"].strip(), _account(every), "Clips, by reason:", _reasons(every)]
    if captions:
        parts += [words["caption_drops"].strip(), _captions(captions)]
    return "\n\n".join(parts)


def _account(every: tuple[Flow, ...]) -> str:
    head = ("corpus", "received:", "kept:", "merged:", "dropped:", "share:", "why, mostly")
    rows = [_flow(text(flow.corpus), flow) for flow in every]
    if len(every) > 1:
        rows.append(_flow("**all**", _together(every)))
    return table(head, rows)


def _flow(name: str, flow: Flow) -> tuple[str, ...]:
    assert flow.received == flow.kept + flow.merged + flow.dropped, f"rows were lost: {flow}"
    counts = (flow.received, flow.kept, flow.merged, flow.dropped)
    found = sorted(_by_reason(flow.losses).items(), key=lambda item: (-item[1], item[0]))
    mostly = [f"{code(why)} {number:,}" for why, number in found if why != MERGED][:2]
    numbers = [f"{count:,}" for count in counts]
    return (name, *numbers, share(flow.dropped, flow.received), ", ".join(mostly) or NONE)


def _together(every: tuple[Flow, ...]) -> Flow:
    lost = tuple(loss for flow in every for loss in flow.losses)
    return Flow("all", sum(flow.received for flow in every), sum(flow.kept for flow in every), lost)


def _reasons(every: tuple[Flow, ...]) -> str:
    return _table("clips:", [loss for flow in every for loss in flow.losses])


def _captions(captions: Mapping[str, tuple[Loss, ...]]) -> str:
    return _table("captions:", [loss for losses in captions.values() for loss in losses])


def _table(counted: str, losses: list[Loss]) -> str:
    """Reasons by stage, the most frequent first."""
    total: dict[tuple[str, str], int] = {}
    for loss in losses:
        total[loss.reason, loss.stage] = total.get((loss.reason, loss.stage), 0) + loss.count
    rows = sorted(total.items(), key=lambda item: (-item[1], item[0]))
    return table(("reason", "stage", counted, "what it means"), [
        (code(why), code(stage), f"{number:,}", text(reason(why))) for (why, stage), number in rows
    ])  # fmt: skip


def _by_reason(losses: tuple[Loss, ...]) -> dict[str, int]:
    total: dict[str, int] = {}
    for loss in losses:
        total[loss.reason] = total.get(loss.reason, 0) + loss.count
    return total
