"""The report in a browser: it plays, filters, obeys keys, holds at any width, and asks the network for nothing."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from captionstew.cli.main import main

from ..unit.report.builds import enriched
from .chromium import Browser, program, until

VISIBLE = "[...document.querySelectorAll('article.clip')].filter(clip => !clip.hidden).length"
FOCUSED = "document.activeElement.closest('article.clip')?.id ?? ''"
PLAYING = "[...document.querySelectorAll('audio')].filter(audio => !audio.paused).length"
WIDTHS = pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1400, False), (1400, True)])


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser; tests are skipped where there is none."""
    if not program():
        pytest.skip("there is no Chromium here: apt-get install chromium")
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report of a build of ten clips of two corpora, enriched, with text that would like to be markup."""
    folder = tmp_path_factory.mktemp("build")
    page = folder / "report.html"
    enriched(folder)
    assert main(["report", str(folder), "--out", str(page), "--quiet"]) == 0
    return page.as_uri()


@pytest.fixture(autouse=True)
def silent(browser: Browser) -> Iterator[None]:
    """No test may leave a word on the console, nor a request but for the page itself."""
    yield
    browser.script("new Promise(done => setTimeout(done, 50))")
    assert browser.complaints() == []
    assert all(url.startswith("file://") and url.endswith("report.html") for url in browser.requests())


def test_a_page_that_asks_the_network_would_be_caught(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.script("void document.body.append(Object.assign(new Image(), {src: 'http://127.0.0.1:9/x.png'}))")
    until(lambda: browser.script("1") and browser.complaints())
    assert "Content Security Policy" in browser.complaints()[0]
    browser.events.clear()


@WIDTHS
def test_nothing_is_wider_than_the_screen(browser: Browser, address: str, width: int, dark: bool) -> None:
    browser.open(address, width, dark=dark)
    browser.script("void document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert browser.script("document.documentElement.scrollWidth") <= width
    wide = browser.script(
        "[...document.querySelectorAll('main *:not(.scroll *):not(svg *):not(.unseen)')]"
        f".filter(e => e.getBoundingClientRect().right > {width} + 1).map(e => e.outerHTML.slice(0, 120))"
    )
    assert wide == []
    paper = browser.script("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, paper[4:-1].split(","))) < 200) == dark


def test_no_table_is_cut_on_paper(browser: Browser, address: str) -> None:
    browser.open(address, 760)
    browser.call("Emulation.setEmulatedMedia", media="print")
    cut = browser.script(
        "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.getAttribute('aria-label'))"
    )
    browser.call("Emulation.setEmulatedMedia", media="")
    assert cut == []


def test_space_plays_and_stops_and_one_sound_is_heard_at_a_time(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.press("j")
    assert browser.script(FOCUSED) == "clip-1"
    browser.press(" ")
    until(lambda: browser.script("document.querySelector('#clip-1 audio').currentTime > 0.1"))
    assert browser.script(PLAYING) == 1
    assert browser.script("document.querySelector('#clip-1 .play').getAttribute('aria-label')").startswith(
        "Stop"
    )
    browser.press("j")
    browser.press(" ")
    until(lambda: browser.script("document.querySelector('#clip-2 audio').currentTime > 0.1"))
    assert browser.script(PLAYING) == 1
    browser.press(" ")
    until(lambda: browser.script(PLAYING) == 0)
    until(lambda: browser.script("document.querySelector('#clip-1 .past').style.clipPath") != "")


def test_every_sound_of_the_page_can_be_played_to_its_end(browser: Browser, address: str) -> None:
    browser.open(address)
    lengths = browser.script(
        "Promise.all([...document.querySelectorAll('.sound:has(audio)')].map(sound => new Promise((done, failed) => {"
        " const audio = sound.querySelector('audio'), most = Number(sound.querySelector('.seek').max);"
        " audio.addEventListener('error', () => failed(audio.error.message));"
        " audio.addEventListener('loadedmetadata', () => done([audio.duration, most]));"
        " audio.preload = 'auto'; audio.load(); })))"
    )
    assert len(lengths) == 12  # ten clips, and two of them again among those that the guard stopped
    assert all(abs(length - said) < 0.05 for length, said in lengths)


def test_a_click_plays_and_the_outline_seeks(browser: Browser, address: str) -> None:
    browser.open(address, 360)
    browser.click("#clip-1 .play")
    until(lambda: browser.script(PLAYING) == 1)
    browser.click("#clip-1 .play")
    until(lambda: browser.script(PLAYING) == 0)
    browser.script("void document.querySelector('#clip-1 .seek').focus()")
    browser.press("End")
    until(lambda: browser.script("document.querySelector('#clip-1 audio').currentTime") > 0.45)


def test_the_filter_filters_and_keys_pass_over_what_it_hides(browser: Browser, address: str) -> None:
    browser.open(address)
    assert browser.script(VISIBLE) == 10
    browser.press("/")
    browser.call("Input.insertText", text="refusal")
    assert browser.script(VISIBLE) == 2  # one was refused, another at its first attempt
    assert browser.script("document.querySelector('#shown').textContent") == "2 of 10"
    browser.press("Escape")
    assert browser.script(VISIBLE) == 10
    browser.click(".chip[data-word=audiocaps]")
    assert browser.script(VISIBLE) == 4
    browser.script("void document.activeElement.blur()")
    corpora = set()
    for _ in range(5):
        browser.press("j")
        corpora.add(browser.script("document.activeElement.querySelector('.meta span').textContent"))
    assert corpora == {"audiocaps"}
    last = browser.script(FOCUSED)
    browser.press("k")
    assert browser.script(FOCUSED) != last


def test_letters_in_the_filter_are_letters(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.press("/")
    for key in ("j", "k", "t", "?"):
        browser.press(key)
    assert browser.script("document.querySelector('#filter').value") == "jkt?"
    assert browser.script("document.querySelector('dialog[open]')") is None


def test_help_and_the_large_spectrogram_open_and_close_by_key(browser: Browser, address: str) -> None:
    browser.open(address, 360)
    browser.press("?")
    assert browser.script("document.querySelector('#help').open")
    browser.press("Escape")
    until(lambda: not browser.script("document.querySelector('#help').open"))
    browser.press("j")
    browser.press("s")
    assert browser.script("document.querySelector('#large').open")
    marks = browser.script("[...document.querySelectorAll('#large .plot span')].map(e => e.textContent)")
    assert "1 kHz" in marks
    assert "0.5" in marks
    box = browser.script("(b => [b.left, b.right])(document.querySelector('#large').getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] <= 360
    browser.press("Escape")
    until(lambda: not browser.script("document.querySelector('#large').open"))


def test_a_cell_of_the_heat_table_opens_its_list_of_ids(browser: Browser, address: str) -> None:
    browser.open(address)
    browser.click(".heat a")
    until(lambda: browser.script("document.querySelector('details:target')?.open"))
    found = browser.script("document.querySelector('details:target').innerText")
    assert "fs:100" in found or "missing" in found


def test_the_theme_turns_by_key(browser: Browser, address: str) -> None:
    browser.open(address)
    papers = []
    for _ in range(3):
        papers.append(browser.script("getComputedStyle(document.body).backgroundColor"))
        browser.press("t")
    assert papers[0] == papers[1] != papers[2]


def test_focus_is_seen_wherever_it_goes(browser: Browser, address: str) -> None:
    browser.open(address)
    seen = set()
    for _ in range(14):
        browser.press("Tab")
        found = browser.script(
            "(e => [e.outerHTML.slice(0, 60), getComputedStyle(e).outlineStyle, e.classList.contains('seek')"
            " && getComputedStyle(e.parentElement).outlineStyle])(document.activeElement)"
        )
        assert "solid" in found[1:], found
        seen.add(found[0])
    assert len(seen) == 14


@pytest.mark.skipif(
    "CAPTIONSTEW_AXE" not in os.environ,
    reason="CAPTIONSTEW_AXE names no axe.min.js: npm pack axe-core has it",
)
@WIDTHS
def test_axe_finds_nothing_that_shuts_people_out(
    browser: Browser, address: str, width: int, dark: bool
) -> None:
    browser.open(address, width, dark=dark)
    browser.script("void document.querySelectorAll('details').forEach(one => { one.open = true; })")
    browser.script(Path(os.environ["CAPTIONSTEW_AXE"]).read_text("utf-8") + "; void 0")
    found = browser.script(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})"
        ".then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html, v.nodes[0].failureSummary]))"
    )
    assert found == []
