"""LibriTTS-P: three annotators per speaker, one template sentence per utterance."""

from pathlib import Path

import polars as pl
import pytest

from captionstew.corpora.facts import corpus
from captionstew.corpora.read import Annotations, read
from captionstew.errors import CorpusError

HEADER = corpus("libritts-p").files[0].read.header


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for number in (1, 2, 3):
        (tmp_path / f"df{number}_en.csv").write_text(
            f"1089|masculine {number}\n88|calm {number}\n2074|mixed\n"
        )
    (tmp_path / "style_prompt_candidates_v230922.csv").write_text("M_p-low|zero;one;two\n")
    return tmp_path


def table(place: Path, *rows: tuple[str, str, str]) -> Annotations:
    lines = [",".join(HEADER)]
    for name, style, invalid in rows:
        fields = {
            "item_name": name,
            "style_prompt_key": style,
            "invalid": invalid,
            "content_prompt": '"Yes, so."',
        }
        lines.append(",".join(fields.get(column, "") for column in HEADER))
    (place / "metadata_w_style_prompt_tags_v230922.csv").write_text("\n".join(lines) + "\n")
    return read(corpus("libritts-p"), [place])


def texts(found: Annotations) -> list[tuple[int, int, str, str]]:
    return found.captions.sort("row", "place").select("row", "place", "text", "style").collect().rows()


def test_each_utterance_has_its_speakers_prompts_and_one_sentence_of_its_style(place: Path) -> None:
    found = table(place, ("1089_134686_000007_000004", "M_p-low", "0"), ("88_5_0_0", "M_p-low", "0"))
    clips = found.clips.collect()
    assert clips["clip_id"].to_list() == ["libritts:1089_134686_000007_000004", "libritts:88_5_0_0"]
    assert clips["source_id"].to_list() == ["libritts:1089_134686", "libritts:88_5"]
    assert clips["transcript"].to_list() == ["Yes, so."] * 2
    chosen = ["zero", "one", "two"]
    assert texts(found) == [
        *[(0, number, f"masculine {number + 1}", "human") for number in range(3)],
        (0, 3, chosen[(1089 + 134686 + 7 + 4) % 3], "template"),
        *[(1, number, f"calm {number + 1}", "human") for number in range(3)],
        (1, 3, chosen[(88 + 5) % 3], "template"),
    ]


def test_utterances_of_doubtful_measures_have_no_style(place: Path) -> None:
    found = table(place, ("88_5_0_0", "M_p-low", "1"), ("88_5_0_1", "F_p-unheard-of", "0"))
    assert {style for *_, style in texts(found)} == {"human"}


def test_mixed_and_unannotated_speakers_are_skipped(place: Path) -> None:
    found = table(
        place, ("2074_1_0_0", "M_p-low", "0"), ("157_1_0_0", "M_p-low", "0"), ("88_1_0_0", "M_p-low", "0")
    )
    assert found.clips.collect()["clip_id"].to_list() == ["libritts:88_1_0_0"]


def test_without_the_table_the_audio_files_are_the_utterances(place: Path) -> None:
    audio = place / "audio"
    for name in (
        "1089_134686_000007_000004.wav",
        "88-5-0000.flac",
        "2074_1_0_0.wav",
        "music.wav",
        "88_5.wav",
    ):
        (audio / name).parent.mkdir(exist_ok=True)
        (audio / name).touch()
    found = read(corpus("libritts-p"), [place, audio])
    clips = found.clips.collect()
    assert clips["clip_id"].to_list() == ["libritts:1089_134686_000007_000004", "libritts:88-5-0000"]
    assert clips["file"].to_list() == ["1089_134686_000007_000004.wav", "88-5-0000.flac"]
    assert found.captions.collect().height == 6


def test_the_subset_is_that_of_the_speakers_folder(place: Path) -> None:
    for folder in ("LibriTTS_R/test-clean/1089", "LibriTTS_R/train-clean-100/88"):
        (place / folder).mkdir(parents=True)
    found = table(place, ("1089_1_0_0", "M_p-low", "0"), ("88_1_0_0", "M_p-low", "0"))
    assert found.clips.collect()["split"].to_list() == ["test", "train"]


def test_an_annotator_missing_is_an_error(place: Path) -> None:
    (place / "df2_en.csv").unlink()
    with pytest.raises(CorpusError, match=r"df2_en\.csv"):
        read(corpus("libritts-p"), [place])


def test_a_broken_row_of_the_table_is_named(place: Path) -> None:
    path = place / "metadata_w_style_prompt_tags_v230922.csv"
    path.write_text(",".join(HEADER) + "\n88_1_0_0,88,M\n")
    with pytest.raises(CorpusError) as error:
        read(corpus("libritts-p"), [place])
    assert "line 2" in error.value.where


def test_prompts_may_hold_quotes(place: Path) -> None:
    (place / "df1_en.csv").write_text('88|"calm, clear\n1089|x\n')
    (place / "88-5-0.wav").touch()
    found = read(corpus("libritts-p"), [place])
    assert found.captions.filter(pl.col("place") == 0).collect()["text"].to_list() == ['"calm, clear']
