"""Locate: each clip gets the file that is its own, and never another's."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from captionstew.stages.locate import Locate

Make = Callable[..., Any]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def archive(path: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for name in names:
            header = tarfile.TarInfo(name)
            header.size = len(name)
            tar.addfile(header, io.BytesIO(name.encode()))


def mine(*files: str) -> list[dict[str, object]]:
    """Clips of the user's own folder."""
    return [{"clip_id": f"folder:{name}", "corpus": "folder", "file": name} for name in files]


def video(name: str, start: float | None = None) -> dict[str, object]:
    """A clip of AudioCaps."""
    return {"clip_id": f"yt:{name}@{start}", "source_id": f"yt:{name}", "start": start, "corpus": "audiocaps"}


@pytest.fixture
def located(tables: Make, run: Make, context: Make) -> Callable[..., tuple[dict[str, str], dict[str, str]]]:
    """Clip ids with their files, and with the reasons why they have none."""

    def make(
        clips: list[dict[str, object]], *roots: Path, corpus: str = "folder", **more: object
    ) -> tuple[dict[str, str], dict[str, str]]:
        found = run(Locate(), tables(clips), context({corpus: list(roots)}, **more))
        return dict(found.clips.sort("rank").select("clip_id", "path").rows()), dict(found.dropped)

    return make


def test_a_relative_path_is_taken_as_it_is(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "dog/1.wav", "cat/1.wav", "1.wav")
    found, _ = located(mine("dog/1.wav", "cat/1.wav", "1.wav"), tmp_path)
    assert found == {f"folder:{name}": name for name in ("dog/1.wav", "cat/1.wav", "1.wav")}


def test_a_file_of_another_folder_is_never_taken_for_one_that_is_missing(
    tmp_path: Path, located: Make
) -> None:
    touch(tmp_path, "dog/1.wav", "deep/er/2.wav", "b/take/3.wav")
    assert located(mine("dog/1.wav", "cat/1.wav", "deep/2.wav", "a/take/3.wav"), tmp_path) == (
        {"folder:dog/1.wav": "dog/1.wav"},
        {"folder:cat/1.wav": "missing", "folder:deep/2.wav": "missing", "folder:a/take/3.wav": "missing"},
    )


@pytest.mark.parametrize("there", ["dog/1.flac", "unpacked/dog/1.wav", "1.wav", "unpacked/v2/dog/1.MP3"])
def test_another_format_and_another_place_of_the_folders_are_the_same_file(
    tmp_path: Path, located: Make, there: str
) -> None:
    touch(tmp_path, there)
    assert located(mine("dog/1.wav"), tmp_path)[0] == {"folder:dog/1.wav": there}


def test_one_file_for_two_names_is_ambiguous(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "1.wav")
    clips = mine("dog/1.wav", "cat/1.wav")
    assert located(clips, tmp_path)[1] == {"folder:dog/1.wav": "ambiguous", "folder:cat/1.wav": "ambiguous"}


def test_what_is_nowhere_is_missing_even_if_many_have_its_last_name(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "other.wav")
    assert set(located(mine("a/1.wav", "b/1.wav", "c/1.wav"), tmp_path)[1].values()) == {"missing"}


def test_a_stem_is_found_in_any_folder_and_format(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "part1/Yaaaaaaaaaaa.flac", "part2/x/bbbbbbbbbbb_30.wav", "ccccccccccc_000030.mp3")
    clips = [
        video("aaaaaaaaaaa", 0.0),
        video("bbbbbbbbbbb", 30.0),
        video("ccccccccccc", 30.0),
        video("ddddddddddd", 0.0),
    ]
    found, lost = located(clips, tmp_path, corpus="audiocaps")
    assert list(found.values()) == [
        "part1/Yaaaaaaaaaaa.flac",
        "part2/x/bbbbbbbbbbb_30.wav",
        "ccccccccccc_000030.mp3",
    ]
    assert lost == {"yt:ddddddddddd@0.0": "missing"}


def test_the_name_with_the_start_wins_over_that_without(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "aaaaaaaaaaa.wav", "aaaaaaaaaaa_30.wav")
    assert located([video("aaaaaaaaaaa", 30.0)], tmp_path, corpus="audiocaps")[0] == {
        "yt:aaaaaaaaaaa@30.0": "aaaaaaaaaaa_30.wav"
    }


def test_ids_differ_by_case(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "aaaaaaaaaaA.wav")
    assert located([video("aaaaaaaaaaa", 0.0)], tmp_path, corpus="audiocaps")[1] == {
        "yt:aaaaaaaaaaa@0.0": "missing"
    }


def test_a_stem_in_two_folders_is_ambiguous(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "a/aaaaaaaaaaa.wav", "b/aaaaaaaaaaa.wav")
    assert located([video("aaaaaaaaaaa", 0.0)], tmp_path, corpus="audiocaps")[1] == {
        "yt:aaaaaaaaaaa@0.0": "ambiguous"
    }


def test_one_folder_with_two_formats_gives_the_first(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "aaaaaaaaaaa.wav", "aaaaaaaaaaa.flac")
    assert located([video("aaaaaaaaaaa", 0.0)], tmp_path, corpus="audiocaps")[0] == {
        "yt:aaaaaaaaaaa@0.0": "aaaaaaaaaaa.flac"
    }


def test_the_first_root_wins_for_an_exact_path(
    tmp_path: Path, tables: Make, run: Make, context: Make
) -> None:
    touch(tmp_path, "one/1.wav", "two/1.wav")
    found = run(Locate(), tables(mine("1.wav")), context({"folder": [tmp_path / "two", tmp_path / "one"]}))
    assert found.clips["root"].to_list() == [0]


def test_dots_within_a_name_are_part_of_it(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "20090412.fountain.flac", "20090412.wav")
    clips = [
        {"clip_id": "fs:1", "corpus": "wavcaps-freesound", "file": "20090412.fountain", "source_id": "fs:1"}
    ]
    assert located(clips, tmp_path, corpus="wavcaps-freesound")[0] == {"fs:1": "20090412.fountain.flac"}


def test_members_of_a_tar_are_found_with_their_place(
    tmp_path: Path, tables: Make, run: Make, context: Make
) -> None:
    archive(tmp_path / "part.tar", "./x/1.wav", "x/2.wav")
    found = run(Locate(), tables(mine("x/2.wav")), context({"folder": tmp_path}))
    row = found.clips.row(0, named=True)
    assert row["path"] == "part.tar"
    assert (tmp_path / "part.tar").read_bytes()[row["offset"] : row["offset"] + row["length"]] == b"x/2.wav"


def test_the_same_name_in_two_tars_is_ambiguous(tmp_path: Path, located: Make) -> None:
    archive(tmp_path / "0.tar", "1.wav", "only.wav")
    archive(tmp_path / "1.tar", "1.wav")
    assert located(mine("1.wav", "only.wav"), tmp_path) == (
        {"folder:only.wav": "0.tar"},
        {"folder:1.wav": "ambiguous"},
    )


def test_a_tar_beside_its_own_unpacked_files_does_no_harm(tmp_path: Path, located: Make) -> None:
    archive(tmp_path / "0.tar", "x/1.wav")
    touch(tmp_path, "x/1.wav")
    assert located(mine("x/1.wav"), tmp_path)[0] == {"folder:x/1.wav": "x/1.wav"}


def test_a_limit_keeps_the_first_by_id_and_counts_the_rest(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, *(f"{name}.wav" for name in "dbca"))
    found, lost = located(mine(*(f"{name}.wav" for name in "dbcax")), tmp_path, limit=2)
    assert sorted(found) == ["folder:a.wav", "folder:b.wav"]
    assert lost == {"folder:c.wav": "limit", "folder:d.wav": "limit", "folder:x.wav": "missing"}


def test_a_clip_whose_name_is_not_known_is_missing(tmp_path: Path, located: Make) -> None:
    touch(tmp_path, "1.wav")
    assert located([{"clip_id": "folder:x", "corpus": "folder", "file": None}], tmp_path)[1] == {
        "folder:x": "missing"
    }


def test_corpora_look_only_into_their_own_folders(
    tmp_path: Path, tables: Make, run: Make, context: Make
) -> None:
    touch(tmp_path, "one/1.wav", "two/aaaaaaaaaaa.wav")
    given = tables([*mine("1.wav", "aaaaaaaaaaa.wav"), video("aaaaaaaaaaa", 0.0)])
    found = run(Locate(), given, context({"folder": tmp_path / "one", "audiocaps": tmp_path / "two"}))
    assert found.kept == ["folder:1.wav", "yt:aaaaaaaaaaa@0.0"]


def test_a_corpus_without_a_folder_misses_everything(tables: Make, run: Make, context: Make) -> None:
    assert run(Locate(), tables(mine("1.wav")), context({"folder": []})).dropped == [
        ("folder:1.wav", "missing")
    ]


def test_files_that_come_or_change_are_another_input(tmp_path: Path, context: Make) -> None:
    touch(tmp_path, "1.wav")
    states = [Locate().upstream(context({"folder": tmp_path}))]
    assert Locate().upstream(context({"folder": tmp_path})) == states[0]
    touch(tmp_path, "2.wav")
    states.append(Locate().upstream(context({"folder": tmp_path})))
    (tmp_path / "2.wav").write_bytes(b"other")
    states.append(Locate().upstream(context({"folder": tmp_path})))
    states.append(Locate().upstream(context({"folder": tmp_path}, limit=1)))
    assert len(set(states)) == 4
