"""The listing of audio files: everything that can be read, once, under the name that annotations use."""

import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from captionstew.audio.codec import decode_mono, probe
from captionstew.audio.files import FILES, SUFFIXES, audio_files, bare, stem
from captionstew.errors import CorpusError


def touch(folder: Path, *names: str) -> None:
    """Small files of these names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def archive(path: Path, members: Sequence[tuple[str, bytes]], mode: str = "w") -> None:
    """A tar of these members."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))


def names(*roots: Path) -> list[str]:
    return audio_files(roots)["name"].to_list()


def test_a_listing_has_its_columns_even_when_empty(tmp_path: Path) -> None:
    assert audio_files([]).schema == audio_files([tmp_path]).schema == pl.Schema(FILES)


def test_audio_is_found_by_its_suffix_in_any_case(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *(f"sound{suffix}" for suffix in SUFFIXES),
        "LOUD.WAV",
        "notes.txt",
        "wav",
        "sound.wav.part",
        "a.mp3.txt",
    )
    assert sorted(names(tmp_path)) == sorted([*(f"sound{suffix}" for suffix in SUFFIXES), "LOUD.WAV"])


def test_a_row_says_where_the_file_lies(tmp_path: Path) -> None:
    touch(tmp_path, "a/b/one.wav")
    row = audio_files([tmp_path]).row(0, named=True)
    state = (tmp_path / "a/b/one.wav").stat()
    assert row == {
        "root": 0, "path": "a/b/one.wav", "name": "a/b/one.wav", "offset": -1, "length": state.st_size,
        "modified": state.st_mtime_ns,
    }  # fmt: skip


def test_rows_are_in_one_order_whatever_the_file_system_says(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.wav", "a/9.wav", "c.wav", "a/10.wav", "B/1.wav")
    assert names(tmp_path) == sorted(["b/2.wav", "a/9.wav", "c.wav", "a/10.wav", "B/1.wav"])


def test_roots_keep_their_order(tmp_path: Path) -> None:
    touch(tmp_path, "z/1.wav", "a/1.wav")
    found = audio_files([tmp_path / "z", tmp_path / "a"])
    assert found.select("root", "name").rows() == [(0, "1.wav"), (1, "1.wav")]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "1.wav", "._1.wav", ".trash/2.wav", "a/.cache/3.wav", ".4.wav")
    assert names(tmp_path) == ["1.wav"]


def test_a_hidden_root_is_read(tmp_path: Path) -> None:
    touch(tmp_path, ".data/1.wav")
    assert names(tmp_path / ".data") == ["1.wav"]


@pytest.mark.parametrize(
    "name", ["träume 夢 🎵.wav", "two\nlines.wav", 'a "quoted" name.wav', "a,b;c.wav", "-rf.wav", "%41.wav"]
)
def test_odd_names_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    assert names(tmp_path) == [name]


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "1.wav")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")).write_bytes(b"x")
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/2.wav")).write_bytes(b"x")
    assert names(tmp_path) == ["1.wav"]


def test_linked_folders_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "data/1.wav", "elsewhere/2.wav")
    (tmp_path / "data" / "back").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "same").symlink_to(tmp_path / "elsewhere")
    assert names(tmp_path / "data") == ["1.wav", "more/2.wav"]


def test_links_to_nothing_and_folders_called_like_audio_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "folder.wav/1.wav")
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (tmp_path / "self.wav").symlink_to(tmp_path / "self.wav")
    assert names(tmp_path) == ["folder.wav/1.wav"]


def test_members_of_a_tar_are_files_at_an_offset(
    tmp_path: Path, sine: Callable[..., np.ndarray], audio_bytes: Callable[..., bytes]
) -> None:
    sound, other = audio_bytes(sine(440, 0.1)), audio_bytes(sine(880, 0.2))
    archive(tmp_path / "part.tar", [("./a/1.wav", sound), ("a/notes.txt", b"words"), ("b/2.WAV", other)])
    rows = audio_files([tmp_path])
    assert rows.select("path", "name").rows() == [("part.tar", "a/1.wav"), ("part.tar", "b/2.WAV")]
    content = (tmp_path / "part.tar").read_bytes()
    for row, expected in zip(rows.iter_rows(named=True), (sound, other), strict=True):
        data = content[row["offset"] : row["offset"] + row["length"]]
        assert data == expected
        assert len(decode_mono(data, probe(data))) > 0


def test_long_member_names_are_whole(tmp_path: Path) -> None:
    name = "/".join(["folder" * 8] * 6) + "/1.wav"
    archive(tmp_path / "part.tar", [(name, b"x")])
    assert names(tmp_path) == [name]


def test_members_that_climb_hide_or_are_no_files_are_left_out(tmp_path: Path) -> None:
    hostile = ["../1.wav", "a/../../2.wav", "._3.wav", ".git/4.wav"]
    archive(tmp_path / "part.tar", [(name, b"x") for name in [*hostile, "good.wav"]])
    with tarfile.open(tmp_path / "part.tar", "a") as tar:
        link = tarfile.TarInfo("link.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        folder = tarfile.TarInfo("folder.wav")
        folder.type = tarfile.DIRTYPE
        tar.addfile(link)
        tar.addfile(folder)
    assert names(tmp_path) == ["good.wav"]


@pytest.mark.parametrize("broken", ["text", "compressed", "truncated"])
def test_a_tar_that_cannot_be_read_is_an_error_that_names_it(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "part.tar"
    archive(
        path, [("1.wav", bytes(20_000)), ("2.wav", bytes(20_000))], "w:gz" if broken == "compressed" else "w"
    )
    if broken == "truncated":
        path.write_bytes(path.read_bytes()[:30_000])
    if broken == "text":
        path.write_text("no archive\n" * 100)
    with pytest.raises(CorpusError, match=r"part\.tar is no tar") as caught:
        audio_files([tmp_path])
    assert caught.value.where == str(path)


def test_an_empty_tar_holds_nothing(tmp_path: Path) -> None:
    archive(tmp_path / "part.tar", [])
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "whole", "last"),
    [
        ("a/1.wav", "a/1", "1"),
        ("1.FLAC", "1", "1"),
        ("20090412.fountain", "20090412.fountain", "20090412.fountain"),
        ("a.b/c.d.mp3", "a.b/c.d", "c.d"),
        ("x.wav/y", "x.wav/y", "y"),
    ],
)
def test_only_an_audio_suffix_is_taken_off(path: str, whole: str, last: str) -> None:
    table = pl.DataFrame({"path": [path]})
    assert table.select(bare(pl.col("path"))).item() == whole
    assert table.select(stem(pl.col("path"))).item() == last
