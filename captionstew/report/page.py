"""The page: eight sections, its style and its script inside it, and a policy that lets nothing else in."""

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files

from captionstew.report import figures
from captionstew.report.html import Html, element, join
from captionstew.report.material import Material
from captionstew.report.sections import (
    captions,
    corpora,
    cost,
    licenses,
    listen,
    losses,
    overlap,
    versions,
)
from captionstew.report.sections.section import Section

SECTIONS: tuple[Callable[[Material], Section], ...] = (
    listen.section,
    captions.section,
    corpora.section,
    losses.section,
    licenses.section,
    overlap.section,
    versions.section,
    cost.section,
)
_KEYS = (
    ("j k", "the next, the previous clip"),
    ("space", "play or stop it"),
    ("\u2190 \u2192", "seek, on the outline of a sound"),
    ("s", "its spectrogram, large"),
    ("/", "filter the clips"),
    ("t", "light, dark, or as the system has it"),
    ("?", "these keys"),
    ("esc", "close, or clear the filter"),
)


def page(material: Material) -> bytes:
    """The whole page, UTF-8; the same bytes for the same build."""
    sections = [section(material) for section in SECTIONS]
    style, script = _resource("page.css"), _resource("page.js")
    title = f"{material.source.manifest.recipe}: report of a CaptionStew build"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        element("style", Html(style)),
    )
    body = element(
        "body",
        element("a", "Skip to the clips", href="#listen", class_="skip"),
        _header(material),
        _contents(sections),
        element("main", *(section.html(number) for number, section in enumerate(sections, 1))),
        _footer(material),
        _help(),
        element("dialog", id="large", aria_label="Spectrogram"),
        element("script", Html(script)),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n".encode()


def _policy(style: str, script: str) -> str:
    """Nothing from the network, no other style or script than these two, no form, no base."""
    rules = {
        "default-src": "'none'",
        "style-src": _hash(style),
        "script-src": _hash(script),
        "img-src": "data:",
        "media-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _resource(name: str) -> str:
    content = files("captionstew.report").joinpath(name).read_text("utf-8")
    assert "</" not in content, f"{name} would end its own element"
    return content


def _header(material: Material) -> Html:
    manifest, whole = material.source.manifest, material.source.facts.whole
    kinds = sorted({file.schema for file in manifest.files})
    models = list(dict.fromkeys(f"{one.model} by {one.prompt}" for one in manifest.enrichment))
    about = [
        ("recipe", f"{manifest.recipe}@{manifest.recipe_digest}"),
        ("schema", ", ".join(kinds)),
        ("made with", f"captionstew {manifest.made_with.get('captionstew', '?')}"),
        *(("model", model) for model in models),
    ]
    corpora = len(material.source.facts.corpora)
    numbers = [
        (figures.about(whole.clips), "clips"),
        (figures.hours(whole.hours), "hours"),
        (figures.about(whole.captions), "captions"),
        (f"{corpora}", "corpus" if corpora == 1 else "corpora"),
        (figures.size(whole.bytes), f"in {figures.plural(whole.files, 'file')}"),
    ]
    big = element(
        "ul",
        *(element("li", element("strong", value), " ", element("span", name)) for value, name in numbers),
        class_="numbers",
    )
    fine = element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", element("code", value)))
            for name, value in about
        ),
    )
    who = (
        element("p", "For everybody: sound and text that may not be passed on are left out.", class_="note")
        if material.allowed.public
        else None
    )
    theme = element(
        "button", "Auto", type="button", id="theme", class_="quiet needs-script", aria_label="Theme: auto"
    )
    keys = element(
        "button", "Keys ", element("kbd", "?"), type="button", id="keys", class_="quiet needs-script"
    )
    top = element(
        "div",
        element("p", "CaptionStew report", class_="over"),
        element("div", theme, keys, class_="tools"),
        class_="top",
    )
    return element("header", top, element("h1", manifest.recipe), big, fine, who, class_="page")


def _contents(sections: list[Section]) -> Html:
    items = [element("li", element("a", section.heading, href=f"#{section.name}")) for section in sections]
    return element("nav", element("ol", *items), aria_label="Sections")


def _footer(material: Material) -> Html:
    inside = figures.plural(material.sounds, "sound")
    words = f"One file: {inside} inside, nothing is fetched from anywhere, nothing is sent."
    return element("footer", element("p", words))


def _help() -> Html:
    rows = [
        element(
            "div",
            element("dt", *(join(element("kbd", key), " ") for key in keys.split())),
            element("dd", what),
        )
        for keys, what in _KEYS
    ]
    close = element("button", "Close", type="button", class_="close", data_close=True)
    return element(
        "dialog",
        element("h2", "Keys", id="help-name"),
        element("dl", *rows, class_="keys"),
        close,
        id="help",
        aria_labelledby="help-name",
    )
