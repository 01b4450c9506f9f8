"""What the reasons of drops and verdicts mean, in the words of the release's card."""

from collections.abc import Iterable

from captionstew.publish.prose import prose
from captionstew.report.html import Html, details, element


def explained(reasons: Iterable[str]) -> Html | None:
    """A list that opens: those of these reasons whose meaning is known, each once; a corpus' own are not."""
    meanings = prose("reasons")
    known = sorted(reason for reason in set(reasons) if reason in meanings)
    if not known:
        return None
    pairs = [element("div", element("dt", reason), element("dd", str(meanings[reason]))) for reason in known]
    return details("What these words mean", element("dl", *pairs, class_="meanings"))
