"""Tar files of samples: captions from the small members, offsets of the large ones."""

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from captionstew.corpora.facts import Captions, Columns, File, Id, Reading, corpus
from captionstew.corpora.read import Annotations, read
from captionstew.corpora.readers.tar import Member
from captionstew.errors import CorpusError

FACTS = replace(
    corpus("folder"),
    name="shards",
    files=(File(("shard-*.tar",), Reading("tar")),),
    id=Id("file", ("key",)),
    columns=Columns(file="file"),
    captions=(Captions(("captions",), "machine"),),
)


def annotations(place: Path, **members: bytes) -> Annotations:
    with tarfile.open(place / "shard-0.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name.replace("__", "/").replace("_", "."))
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return read(FACTS, [place])


def test_samples_are_rows_and_their_audio_stays_where_it_is(tmp_path: Path) -> None:
    found = annotations(
        tmp_path, a_json=b'{"captions": ["one", "two"]}', a_flac=b"AUDIO-A", x__b_ogg=b"AUDIO-B",
        x__b_txt=b"three\n", c_json=b"{}",
    )  # fmt: skip
    clips = found.clips.collect()
    assert clips["clip_id"].to_list() == ["shards:a", "shards:x/b"]
    assert found.captions.collect()["text"].to_list() == ["one", "two", "three"]
    members = [Member.parse(text) for text in clips["file"]]
    assert [member and member.read(tmp_path) for member in members] == [b"AUDIO-A", b"AUDIO-B"]


@pytest.mark.parametrize("name", ["a.flac", "odd #1@2+3 @4+5.flac"])
def test_a_member_is_written_and_read_back(name: str) -> None:
    member = Member("folder/shard-0.tar", name, 1536, 20480)
    assert Member.parse(member.text()) == member


@pytest.mark.parametrize("text", ["a.wav", "a.tar", "x.tar#a.flac", "x.tar#a.flac@1", "x.tar#a.flac@1+b"])
def test_a_plain_path_is_no_member(text: str) -> None:
    assert Member.parse(text) is None


def test_a_truncated_tar_is_named(tmp_path: Path) -> None:
    annotations(tmp_path, a_flac=b"x" * 2000, a_txt=b"one")
    path = tmp_path / "shard-0.tar"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CorpusError, match="no tar of samples") as error:
        read(FACTS, [tmp_path])
    assert str(path) in error.value.where
