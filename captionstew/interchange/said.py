"""What a cut says of itself beyond its audio: captions, words, labels, and fields that Lhotse does not know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STYLES = ("human", "machine", "template", "label")


@dataclass(frozen=True)
class Caption:
    """A caption, and what is known of who wrote it."""

    text: str
    style: str
    model: str | None = None
    language: str = "en"


@dataclass(frozen=True)
class Said:
    """What a cut says of itself: its supervisions, and the fields that Lhotse does not know, theirs first."""

    supervisions: Sequence[Mapping[str, Any]]
    customs: Sequence[Mapping[str, Any]]

    def first(self, name: str) -> Any:
        """The field where it is said first; None where it is not."""
        return next((custom[name] for custom in self.customs if custom.get(name) is not None), None)

    def every(self, name: str) -> list[Any]:
        """The field wherever it is said."""
        return [custom[name] for custom in self.customs if custom.get(name) is not None]

    def text(self, name: str) -> str | None:
        """The field as a text."""
        value = self.first(name)
        return value.strip() or None if isinstance(value, str) else None

    @property
    def transcript(self) -> str | None:
        """What is said, of all supervisions in order."""
        texts = [one["text"] for one in self.supervisions if isinstance(one.get("text"), str)]
        return " ".join(texts) if texts else None

    @property
    def speaker(self) -> str | None:
        """Who speaks, where it is one voice."""
        names = {one["speaker"] for one in self.supervisions if isinstance(one.get("speaker"), str)}
        return names.pop() or None if len(names) == 1 else None


def said(cut: Mapping[str, Any]) -> Said:
    """Its supervisions and custom fields: those of supervisions, of the cut, of the recording."""
    supervisions = [one for one in listed(cut.get("supervisions")) if isinstance(one, dict)]
    customs = [one.get("custom") for one in (*supervisions, cut, cut.get("recording") or {})]
    return Said(supervisions, [custom for custom in customs if isinstance(custom, dict)])


def captions(said: Said, style: str) -> Iterator[Caption]:
    """Those with their writers, where there are such; then all others, each text once."""
    seen: set[str] = set()
    for value in (*said.every("captions"), *said.every("caption")):
        for one in listed(value) or [value]:
            caption = _caption(one, style)
            if caption is not None and caption.text not in seen:
                seen.add(caption.text)
                yield caption


def _caption(one: object, style: str) -> Caption | None:
    if isinstance(one, str):
        return Caption(one, style) if one.strip() else None
    if not isinstance(one, dict) or not isinstance(one.get("text"), str) or not one["text"].strip():
        return None
    model, language = one.get("model"), one.get("language")
    return Caption(
        one["text"],
        one_of(one.get("style"), STYLES) or style,
        model if isinstance(model, str) and model else None,
        language if isinstance(language, str) and language else "en",
    )


def events(value: object) -> Iterator[str]:
    """Labels set by people; what a detector heard is heard again by one."""
    for one in listed(value):
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict) and isinstance(one.get("label"), str) and one.get("score", 1.0) == 1.0:
            yield one["label"]


def strings(value: object) -> list[str]:
    """One text or several, as a list; anything else is left out."""
    if isinstance(value, str):
        return [value]
    return [one for one in listed(value) if isinstance(one, str)]


def listed(value: object) -> list[Any]:
    """The list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def one_of(value: object, known: Sequence[str]) -> str | None:
    """The value if it is one of these."""
    return value if isinstance(value, str) and value in known else None
