"""A clip's sound: a button, its outline to seek in, and its spectrogram, which opens larger with axes."""

from captionstew.report import figures
from captionstew.report.html import Html, element, paragraph
from captionstew.report.material import Heard


def player(one: Heard, named_by: str, *, small: bool = False) -> Html:
    """The player, or why there is none; without scripts, the browser's own. `small` has no spectrogram."""
    found = one.sound
    if found is None:
        note = paragraph(element("span", "Captions only", class_="tag"), f" {one.silent}", class_="note")
        return element("div", note, class_="sound")
    name = one.clip.clip_id
    outline = element(
        "svg",
        element("path", d=found.outline, class_="outline"),
        viewBox="0 0 120 40",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )
    seek = element(
        "input",
        type="range",
        class_="seek",
        min="0",
        max=f"{found.seconds:.3f}",
        step="any",
        value="0",
        aria_label=f"Position in {name}, seconds",
    )
    play = element(
        "button",
        element("span", class_="sign", aria_hidden="true"),
        type="button",
        class_="play",
        aria_label=f"Play {name}",
        aria_pressed="false",
    )
    clock = element("span", figures.seconds(found.seconds), " s", class_="clock")
    audio = element("audio", src=found.address, preload="none", controls=True, aria_labelledby=named_by)
    bar = element("div", play, element("div", outline, seek, class_="wave"), clock, class_="bar needs-script")
    return element("div", bar, audio, None if small else _spectrogram(one), class_="sound")


def _spectrogram(one: Heard) -> Html:
    found = one.sound
    assert found is not None
    said = (
        f"Mel spectrogram of {one.clip.clip_id}: {figures.seconds(found.seconds)} s, "
        f"up to {found.ticks[-1][0] if found.ticks else 0:,} Hz and beyond, 70 dB"
    )
    picture = element("img", src=found.image, alt=said, width="320", height="96", decoding="async")
    ticks = " ".join(f"{hertz}:{at:g}" for hertz, at in found.ticks)
    return element(
        "button",
        picture,
        type="button",
        class_="spectrogram",
        data_ticks=ticks,
        data_seconds=f"{found.seconds:.3f}",
        data_name=one.clip.clip_id,
        title="Enlarge",
    )
