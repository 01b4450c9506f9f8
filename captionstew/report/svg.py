"""What matplotlib draws as SVG for a page: its colours are roles, and it brings neither styles nor ids."""

import io
import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from captionstew.report.html import Html, element, text

# Colours that stand for a role; the page's style sheet says what they are in light and dark.
_ROLES = {
    "#000001": "ink",
    "#000002": "soft",
    "#000003": "first",
    "#000004": "second",
    "#000005": "line",
    "#000006": "lost",
}
INK, SOFT, FIRST, SECOND, LINE, LOST = _ROLES
_KEPT = {"x", "y", "x1", "x2", "y1", "y2", "d", "transform", "width", "height", "viewBox", "version"}
_STYLED = {
    "fill",
    "stroke",
    "stroke-width",
    "font-size",
    "text-anchor",
    "opacity",
    "fill-opacity",
    "stroke-dasharray",
}
_FRACTION = re.compile(r"\d+\.\d+")
_SVG = "{http://www.w3.org/2000/svg}"


def svg(figure: Figure, label: str) -> Html:
    """The figure as an image with a name; the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    box = root.get("viewBox", "").split()
    name = element("title", text(label))
    inside = "".join(_drawn(child) for child in root)
    return Html(
        f'<svg viewBox="0 0 {float(box[2]):g} {float(box[3]):g}" role="img" aria-label="{text(label)}">'
        f"{name}{inside}</svg>"
    )


def _drawn(node: ElementTree.Element) -> str:
    """A node and what is in it; groups that say nothing are left out."""
    tag = node.tag.removeprefix(_SVG)
    if tag in {"metadata", "defs"} or not node.tag.startswith(_SVG):
        return ""
    given = {
        name: value for name, value in node.attrib.items() if name in _KEPT and "rotate(-0 " not in value
    }
    classes: list[str] = []
    pairs = (pair.partition(":") for pair in node.get("style", "").split(";") if pair.strip())
    for name, _, value in pairs:
        _paint(name.strip(), value.strip(), given, classes)
    if tag == "path" and "fill" not in given and not any(one.startswith("fill-") for one in classes):
        given["fill"] = "none"
    if (
        tag == "path"
        and given.get("fill") == "none"
        and not any(one.startswith("stroke-") for one in classes)
    ):
        return ""  # the background
    inside = "".join(_drawn(child) for child in node)
    if tag == "g" and (not inside or not (given or classes)):
        return inside
    if classes:
        given["class"] = " ".join(classes)
    words = "".join(f' {name}="{text(_rounded(value))}"' for name, value in given.items())
    return f"<{tag}{words}>{text(node.text.strip()) if node.text else ''}{inside}</{tag}>"


def _rounded(value: str) -> str:
    """Tenths of a pixel, in place of millionths."""
    return " ".join(_FRACTION.sub(lambda found: f"{float(found[0]):.1f}", value).split())


def _paint(name: str, value: str, given: dict[str, str], classes: list[str]) -> None:
    if name == "font":  # `8.5px 'DejaVu Sans'`
        given["font-size"] = value.split("px")[0]
    elif value in _ROLES and name in {"fill", "stroke"}:
        classes.append(f"{name}-{_ROLES[value]}")
    elif name in _STYLED:
        given[name] = value.removesuffix("px")
