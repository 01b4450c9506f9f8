"""The page: whole, safe, small, the same each time."""

import base64
import hashlib
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from captionstew.report.material import Material, material, seconds_each
from captionstew.report.page import page
from captionstew.report.sections.cost import commands
from captionstew.report.sections.enrichment import enrichment
from captionstew.report.source import Source, source

from .builds import HOSTILE, release, row

NAMES = ["listen", "captions", "corpora", "losses", "licenses", "overlap", "since", "cost"]


class Elements(HTMLParser):
    """Every element with its attributes, and the words outside of style and script."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._inside = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside not in {"style", "script"}:
            self.words += data


def made(one: Source, *, public: bool = False, against: Source | None = None, clips: int = 8) -> bytes:
    return page(material(one, clips_shown=clips, public=public, against=against, tell=lambda _: None))


@pytest.fixture(scope="session")
def whole(gathered: Material) -> bytes:
    return page(gathered)


def test_eight_sections_stand_in_their_order(whole: bytes) -> None:
    found = [about["id"] for tag, about in Elements(whole).found if tag == "section"]
    assert found == NAMES
    links = [
        about["href"]
        for tag, about in Elements(whole).found
        if tag == "a" and about["href"] in {f"#{n}" for n in NAMES}
    ]
    assert links[1:] == [f"#{name}" for name in NAMES]  # the first skips to the clips


def test_what_others_wrote_is_text_and_nothing_else(whole: bytes) -> None:
    found = Elements(whole)
    assert [tag for tag, _ in found.found].count("script") == 1
    assert "<script>alert(1)</script> & </script><img src=x onerror=alert(2)>" in found.words
    assert "\u202e" not in found.words
    assert "\x00" not in found.words
    for tag, about in found.found:
        assert not any(name.startswith("on") or name == "style" for name in about), (tag, about)
        assert not (about.get("href") or "").startswith("javascript")
        assert not (about.get("src") or "data:").startswith(("x", "http"))


def test_the_policy_names_this_very_style_and_script_and_no_network(whole: bytes) -> None:
    text = whole.decode()
    (policy,) = [
        about["content"]
        for tag, about in Elements(whole).found
        if about.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("style", "script"):
        (inside,) = re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert text.index("Content-Security-Policy") < text.index("<style>")


def test_ids_are_unique_and_every_link_inside_leads_somewhere(whole: bytes) -> None:
    found = Elements(whole).found
    ids = [about["id"] for _, about in found if "id" in about]
    assert len(ids) == len(set(ids))
    for _, about in found:
        for name in ("aria-labelledby", "aria-controls", "for"):
            assert about.get(name) is None or about[name] in ids
        if (about.get("href") or "").startswith("#"):
            assert (about["href"] or "")[1:] in ids


def test_the_same_build_is_the_same_page(build: Source, whole: bytes, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(build.folder, tmp_path / "elsewhere"))
    assert made(source(elsewhere, build.recipe, build.command)) == whole


def test_numbers_on_the_page_are_those_of_the_build(whole: bytes) -> None:
    words = Elements(whole).words
    for said in (
        "Received 57 = kept 10 + merged into others 0 + dropped 47 (82 %)",
        "2 clips of other corpora found",
        "Of esc50 no audio was at hand",
        "6.8 s of work over all stages",
        "600 tokens",
        "invented-sound: 1 caption",
        "11 captions as published",
        "Enrichment added 4",
    ):
        assert said in words, said


def test_a_prompts_rows_have_a_figure_under_every_heading(gathered: Material) -> None:
    found: dict[str, str] = {}
    for part in str(enrichment(gathered)).split("<table>")[1:]:
        head, row = re.findall(r"<tr>(.*?)</tr>", part, re.DOTALL)
        names, figures = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", one) for one in (head, row))
        found |= dict(zip(names, figures, strict=True))
        words = 2 if "model" in names else 1
        assert head.count('class="number"') == row.count('class="number"') == len(names) - words
    assert found.items() >= {
        "clips enriched": "67 %", "distinct words": "12", "Distinct-1": "0.500", "Distinct-2": "0.800",
        "unsupported sounds": "10 %",
    }.items()  # fmt: skip


def test_before_and_after_are_compared_word_by_word(whole: bytes) -> None:
    assert "A <ins>small</ins> dog barks <ins>loudly</ins> 2 times" in whole.decode()


def test_a_page_for_everybody_leaves_out_sound_that_may_not_be_passed_on(build: Source) -> None:
    private, public = made(build, clips=10), made(build, public=True, clips=10)
    sounds = [one.count(b"data:audio/ogg") for one in (private, public)]
    assert sounds[0] == 12
    assert sounds[1] == 8
    for secret in (b"/home/me", b"10.0.0.1", b"<small>&lt;script&gt;"):  # the last: why clips were dropped
        assert secret in private
        assert secret not in public
    assert "the audio is nobody&#x27;s to give" in public.decode()


def test_clips_that_nobody_has_looked_at_have_nothing_on_a_page_for_everybody(tmp_path: Path) -> None:
    one = release(tmp_path, [row(1, license="LicenseRef-unknown"), row(2, "nobody-knows-it")])
    public = made(one, public=True).decode()
    assert "data:audio" not in public
    assert "data:image" not in public
    assert "A dog barks" not in public
    assert "fs:1" in public


def variants(build: Source, folder: Path) -> Iterator[tuple[str, Source, str]]:
    yield "one clip", release(folder / "one", [row(1)]), "1 clip, drawn"
    yield (
        "no captions",
        release(folder / "bare", [row(1, captions=[]), row(2, captions=[], events=[])]),
        "No clip has a caption",
    )
    yield (
        "captions only",
        release(folder / "texts", [row(1), row(2)], ("captions",)),
        "its audio is not in this folder",
    )
    yield "no account", release(folder / "silent", [row(1)], accounting=[]), "no account of what was received"
    gone = Path(shutil.copytree(build.folder, folder / "released"))
    for name in ("enrich", "drops"):
        shutil.rmtree(gone / name)
    (gone / "ledger.jsonl").unlink()
    yield "a release", source(gone), "The ids of what was dropped stay with the build"


def test_whatever_is_missing_the_page_says_so(build: Source, tmp_path: Path) -> None:
    for name, one, said in variants(build, tmp_path):
        for public in (False, True):
            found = Elements(made(one, public=public))
            assert [about["id"] for tag, about in found.found if tag == "section"] == NAMES, name
            assert said in found.words or public, name
    assert "There is no ledger here" in found.words
    assert "The provenance of the generated captions is not in this folder" in found.words


def test_a_damaged_clip_is_said_to_be_so_and_the_others_play(tmp_path: Path) -> None:
    broken = row(1) | {"audio": {"bytes": b"fLaC and nothing else", "path": "fs-1.flac"}}
    found = made(release(tmp_path, [broken, row(2)]))
    assert found.count(b"data:audio/ogg") == 1
    assert b"its audio cannot be decoded" in found


def test_an_earlier_version_is_compared_with(tmp_path: Path) -> None:
    before = release(tmp_path / "before", [row(number) for number in range(4)])
    after = release(tmp_path / "after", [row(number) for number in range(1, 6)])
    words = Elements(made(after, against=before)).words
    assert "2 clips added, 1 removed, 0 with other captions, 0 with other sound, 3 the same" in words


def test_the_page_stays_small_however_many_clips_are_shown() -> None:
    for number in (1, 24, 60, 120):
        for rejected in (0, 12):
            assert number * seconds_each(number, rejected) * 4_200 + rejected * 5 * 4_200 < 2_400_000
    assert seconds_each(24, 12) == 10.0


def test_commands_for_everybody_name_no_path_and_no_server(build: Source, gathered: Material) -> None:
    assert commands(gathered)[0].startswith(
        "captionstew build /home/me/tiny.py --audio clotho=/home/me/clotho"
    )
    public = material(build, clips_shown=0, public=True, against=None, tell=lambda _: None)
    assert commands(public)[0] == "captionstew build DIR --audio clotho=DIR --enrich URL --limit 9"


def test_hostile_text_is_hostile() -> None:
    assert "<script>" in HOSTILE
    assert "</script>" in HOSTILE


def test_a_release_behind_a_url_is_read_where_it_is(
    build: Source, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = pytest.importorskip("fsspec").filesystem("memory")
    for path in (build.folder / "manifest.json", *build.folder.glob("data/*/*/*.parquet")):
        files.pipe(f"/released/{path.relative_to(build.folder).as_posix()}", path.read_bytes())
    found = made(source("memory://released"))
    assert found.count(b"data:audio/ogg") == 8
    assert b"The ids of what was dropped stay with the build" in found
    assert b"0 clips added, 0 removed" in made(build, against=source("memory://released"))
