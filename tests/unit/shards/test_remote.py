"""Releases behind a URL, read from a real server on the loopback by the clients that are really used."""

import json
import logging
import multiprocessing
import pickle
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from captionstew.errors import StewError
from captionstew.shards import remote, url_files
from captionstew.shards.layout import SIDECAR, shard_files
from captionstew.shards.read import Clips
from captionstew.shards.remote import Remote, cache_folder, url_of
from captionstew.shards.texts import Texts

pytest.importorskip("huggingface_hub", reason="hf:// needs huggingface_hub")

SHA = "0123456789abcdef0123456789abcdef01234567"
REPO = "hf://datasets/someone/stew"
TOKEN = "hf_never_to_be_printed"


class Site:
    """A folder as a data set of a small Hub, and as plain files; `asked` has every request for a file's bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []  # path, range
        self.tokens: set[str] = set()
        self.short = self.unavailable = 0  # answers to come that hold half, or that say 503
        self.private = False
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def bytes_asked(self, path: str) -> int:
        """How many bytes of a file were asked for in ranges."""
        spans = [re.findall(r"\d+", span) for name, span in self.asked if name == path and span]
        return sum(int(end) - int(start) + 1 for start, end in spans)

    def _handler(self) -> type["Handler"]:
        return type("SiteHandler", (Handler,), {"site": self})


class Handler(BaseHTTPRequestHandler):
    """What the Hub and a plain server answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    site: Site

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.site.tokens.add(self.headers.get("Authorization") or "")
        prefix = f"/datasets/someone/stew/resolve/{SHA}/"
        if self.site.private:
            self.answer(401, {"error": "no"}, {"X-Error-Code": "GatedRepo"})
        elif path.startswith("/api/datasets/someone/stew/tree/"):
            below = self.site.folder / path.split(f"/tree/{SHA}")[1].strip("/")
            self.answer(200 if below.is_dir() else 404, [self.entry(path) for path in below.glob("*")])
        elif path.startswith("/api/datasets/someone/stew"):
            self.answer(200, {"id": "someone/stew", "sha": SHA, "siblings": []})
        elif path.startswith((prefix, "/plain/")):
            self.file(path.removeprefix(prefix).removeprefix("/plain/"))
        else:
            self.answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def entry(self, path: Path) -> dict[str, Any]:
        """A file or folder as the Hub lists it."""
        kind, size = ("directory", 0) if path.is_dir() else ("file", path.stat().st_size)
        name = path.relative_to(self.site.folder).as_posix()
        return {"type": kind, "path": name, "size": size, "oid": "0" * 40}

    def file(self, name: str) -> None:
        """A file or a range of it, well or badly."""
        site, span = self.site, self.headers.get("Range") or ""
        if not (site.folder / name).is_file():
            return self.answer(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
        if self.command == "GET":
            site.asked.append((name, span))
        if span and site.unavailable:
            site.unavailable -= 1
            return self.answer(503, {"error": "busy"})
        data = (site.folder / name).read_bytes()
        if not span:
            return self.answer(200, data, {"Accept-Ranges": "bytes"})
        start, end = (int(number) for number in re.findall(r"\d+", span))
        total, data = len(data), data[start : end + 1]
        if site.short:
            site.short -= 1
            data = data[: len(data) // 2]
        self.answer(206, data, {"Content-Range": f"bytes {start}-{start + len(data) - 1}/{total}"})

    def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Send it."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def site(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A copy of the finished build behind a server, which is the Hub while the test runs."""
    shutil.copytree(finished, tmp_path / "site")
    made = Site(tmp_path / "site")
    monkeypatch.setattr(
        "huggingface_hub.constants.ENDPOINT", made.url
    )  # HF_ENDPOINT is read when it is imported
    template = made.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(url_files, "_FIRST_WAIT", 0.01)
    yield made
    made.server.shutdown()
    made.server.server_close()


def _same(there: Clips, here: Clips) -> None:
    assert len(there) == len(here) == 270
    assert [there.clip_bytes(i) for i in range(270)] == [here.clip_bytes(i) for i in range(270)]


def _read_in_a_fork(there: Clips, here: Clips) -> None:
    """The same object as it is, not pickled, in a child process."""

    def compare() -> None:
        assert there.clip_bytes(250) == here.clip_bytes(250)

    child = multiprocessing.get_context("fork").Process(target=compare)
    child.start()
    child.join(30)
    assert child.exitcode == 0


def test_a_url_is_known_even_where_a_path_has_swallowed_a_slash(tmp_path: Path) -> None:
    assert url_of(REPO) == url_of(Path(REPO)) == url_of(f"{REPO}/") == REPO
    assert url_of("https://a.b/c") == "https://a.b/c"
    assert url_of("hf://someone/stew") == url_of(Path("hf://someone/stew")) == REPO
    assert url_of(tmp_path) == url_of("build") == url_of(r"C:\data") == url_of("/a:/b") == ""


def test_clips_of_a_repository_are_those_of_the_folder(finished: Path, site: Site) -> None:
    clips, here = Clips(REPO), Clips(finished)
    _same(clips, here)
    assert clips.num_samples.tolist() == here.num_samples.tolist()
    assert clips.ranges("tones") == here.ranges("tones")
    assert clips.row(130).equals(here.row(130))
    assert clips.captions(131) == here.captions(131)
    assert clips.find("yt:00000000201@30") == here.find("yt:00000000201@30")
    assert [len(group) for group in clips.groups(["clip_id"])] == [20, 100, 50, 100]
    assert Texts(clips)[131] == here.captions(131)


def test_opening_asks_for_the_small_files_alone_and_a_clip_for_its_block(site: Site) -> None:
    clips = Clips(REPO)
    assert {name for name, _ in site.asked} == {"manifest.json", SIDECAR}
    clips.clip_bytes(5)
    clips.clip_bytes(6)
    shard = clips.sidecar.files[0].path
    assert [name for name, _ in site.asked].count(shard) == 1
    site.asked.clear()
    assert Clips(REPO).clip_bytes(5) == clips.clip_bytes(5)
    assert [name for name, _ in site.asked] == ["manifest.json"]


def test_the_token_goes_to_the_hub_and_nowhere_else(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "captionstew")
    clips = Clips(REPO)
    site.short = 1
    clips.clip_bytes(0)
    assert f"Bearer {TOKEN}" in site.tokens
    site.private = True
    with pytest.raises(StewError) as caught:
        Clips(REPO.replace("stew", "other"))
    said = caplog.text + str(caught.value) + repr(clips.__reduce__())
    assert "again in" in caplog.text
    assert TOKEN not in said
    held = [
        path for path in cache_folder().rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert held == []


def test_a_reader_sent_elsewhere_stays_at_its_revision(finished: Path, site: Site) -> None:
    clips, here = Clips(REPO), Clips(finished)
    sent = pickle.dumps(clips)
    assert SHA.encode() in sent
    assert pickle.loads(sent).clip_bytes(9) == here.clip_bytes(9)
    _read_in_a_fork(clips, here)


def test_answers_that_are_cut_short_are_asked_for_again(finished: Path, site: Site) -> None:
    clips = Clips(REPO)
    site.short = 3
    assert clips.clip_bytes(100) == Clips(finished).clip_bytes(100)
    site.short = 99
    with pytest.raises(StewError, match=r"cannot be read; cause: EOFError: \d+ of \d+ bytes"):
        clips.clip_bytes(10)


def test_without_a_sidecar_it_is_read_off_the_shards_by_small_requests(finished: Path, site: Site) -> None:
    (site.folder / SIDECAR).unlink()
    clips = Clips(REPO)
    assert clips.sidecar == Clips(finished).sidecar
    shard = clips.sidecar.files[1]
    footers = 1 << 20  # the block that Arrow's own reads fill, here all of the file
    assert site.bytes_asked(shard.path) < footers + 150 * 20
    site.asked.clear()
    _same(Clips(REPO), Clips(finished))
    assert all(span for name, span in site.asked if name != "manifest.json")


def test_a_sidecar_of_other_shards_is_not_believed(finished: Path, site: Site) -> None:
    data = (site.folder / SIDECAR).read_bytes()
    sha256 = Clips(finished).sidecar.files[0].sha256.encode()
    (site.folder / SIDECAR).write_bytes(data.replace(sha256, b"0" * 64))
    assert Clips(REPO).sidecar == Clips(finished).sidecar


def test_downloaded_shards_are_fetched_once_and_the_image_is_a_build_folder(
    finished: Path, site: Site
) -> None:
    clips = Clips(REPO, download=True)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(clips.clip_bytes, range(270)))
    assert found == [Clips(finished).clip_bytes(i) for i in range(270)]
    for file in clips.sidecar.files:
        assert site.bytes_asked(file.path) == file.bytes
    site.asked.clear()
    _same(Clips(clips.folder), Clips(finished))
    _same(Clips(REPO, download=True), Clips(finished))
    assert [name for name, _ in site.asked] == ["manifest.json"]
    assert not list(clips.folder.rglob("*.part"))


def test_a_stopped_download_goes_on_where_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_PIECE", 7000)
    there = Remote(REPO)
    path, (size, _) = max(there.audio.items(), key=lambda item: item[1][0])
    content = (site.folder / path).read_bytes()
    part = there.folder / path
    part.parent.mkdir(parents=True)
    part.with_name(f".{part.name}.part").write_bytes(content[: size // 2])
    assert there.fetched(path).read_bytes() == content
    assert site.bytes_asked(path) == size - size // 2


def test_a_download_that_is_not_what_was_promised_is_not_kept(site: Site) -> None:
    there = Remote(REPO)
    path = next(iter(there.audio))
    data = bytearray((site.folder / path).read_bytes())
    data[100] ^= 1
    (site.folder / path).write_bytes(data)
    with pytest.raises(StewError, match="is not what the manifest says"):
        there.fetched(path)
    assert list((there.folder / "data").rglob("*.par*")) == []


def test_a_manifest_cannot_point_out_of_its_folder(site: Site) -> None:
    manifest = json.loads((site.folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = "data/audio/../../../../stolen.parquet"
    (site.folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StewError, match="which is no shard"):
        Clips(REPO)


def test_a_repository_that_is_none_or_no_release_is_said(site: Site) -> None:
    with pytest.raises(StewError, match=r"there is no hf://datasets/someone/else; .*hint: name the folder"):
        Clips("hf://datasets/someone/else")
    (site.folder / "manifest.json").unlink()
    with pytest.raises(StewError, match=r"there is no manifest\.json"):
        Clips(REPO)


def test_a_place_that_no_repository_can_have_is_said(site: Site) -> None:
    with pytest.raises(
        StewError, match=r"hf://datasets/someone is no place on the Hub.*hint: write hf://ORG/NAME"
    ):
        Remote("hf://datasets/someone")


def test_a_scheme_that_nobody_knows_is_said() -> None:
    with pytest.raises(StewError, match="gopher:// is not known"):
        Clips("gopher://datasets/someone")


def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(StewError, match=r"needs huggingface_hub.*captionstew\[hub\]"):
        Clips(REPO)


def test_plain_files_behind_http_are_read_too(finished: Path, site: Site) -> None:
    pytest.importorskip("aiohttp", reason="http:// needs fsspec[http]")
    clips, url = Clips(f"{site.url}/plain"), f"{site.url}/plain"
    site.unavailable = 2
    _same(clips, Clips(finished))
    assert site.unavailable == 0
    fetched = Clips(url, download=True)
    _same(fetched, Clips(finished))
    assert len(shard_files(fetched.folder)) == 3
    shutil.rmtree(cache_folder() / "blocks")
    _read_in_a_fork(clips, Clips(finished))
