"""Files appear whole or not at all."""

import errno
import os
import platform
from pathlib import Path

import pytest

from captionstew.errors import BuildError
from captionstew.shards.atomic import clear_partial, disk_errors, replacing, write_bytes


def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    write_bytes(path, b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"half of the new: %d" % (1 // 0))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["facts.json"]


def test_the_new_file_is_complete_before_it_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "facts.json"
    with replacing(path) as temporary:
        temporary.write_bytes(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["facts.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk to write to")
def test_a_full_disk_is_a_build_error_with_a_hint(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    (tmp_path / f".facts.json.{platform.node()}-{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(BuildError, match=r"no room to write facts.json; cause: No space .*hint: free some"):
        write_bytes(path, b"new")
    assert os.listdir(tmp_path) == []


def test_a_file_where_the_folder_should_be_is_a_build_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(BuildError, match=r"cannot write x.json"):
        write_bytes(tmp_path / "data" / "x.json", b"new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
def test_a_closed_folder_is_a_build_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(BuildError, match=r"cannot write x.json"):
        write_bytes(tmp_path / "x.json", b"new")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that takes no files, whoever asks")
def test_where_no_file_can_be_is_a_build_error() -> None:
    for path, where in (("/proc/x.json", "/proc"), ("/proc/new/deep/x.json", "/proc/new/deep")):
        with pytest.raises(BuildError, match=r"cannot write x.json; cause: No such file") as caught:
            write_bytes(Path(path), b"new")
        assert caught.value.where == where
        assert caught.value.hint.startswith("make the folder or choose another with --out;")
    with pytest.raises(BuildError, match=r"or choose another with --save;"):
        write_bytes(Path("/proc/new/x.json"), b"new", "--save")


def test_a_folder_that_goes_meanwhile_is_a_build_error(tmp_path: Path) -> None:
    path = tmp_path / "data" / "x.json"
    with pytest.raises(BuildError, match=r"cannot write x.json"), replacing(path):
        path.parent.rmdir()


def test_a_name_that_is_too_long_is_a_build_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"name too long; .*hint: take a shorter name"):
        write_bytes(tmp_path / ("x" * 300) / "x.json", b"new")


def test_other_faults_rise_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="was never written"), replacing(tmp_path / "never-written"):
        pass
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path / "data" / "x.json"):
        (tmp_path / "elsewhere" / "source.wav").read_bytes()


def test_what_killed_writers_left_can_be_cleared(tmp_path: Path) -> None:
    left = tmp_path / "data" / ".train.parquet.123.part"
    left.parent.mkdir()
    left.touch()
    (tmp_path / "data" / "train.parquet").touch()
    assert clear_partial(tmp_path) == 1
    assert os.listdir(left.parent) == ["train.parquet"]


def test_a_folder_that_no_option_chooses_is_not_told_to_be_another(tmp_path: Path) -> None:
    for option, hint in (
        ("--out", "or choose another with --out; the same"),
        ("", "free some space; the same"),
    ):
        with pytest.raises(BuildError) as caught, disk_errors(tmp_path / "file", option):
            raise OSError(errno.ENOSPC, "full")
        assert hint in caught.value.hint
