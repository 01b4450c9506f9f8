"""What train and export say before any work, when something is not right."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra captionstew[train]")

from captionstew.cli.main import main


def said(line: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = main(line)
    return code, capfd.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (["train", "contrastiv", "--data", "."], 1, "did you mean `contrastive`"),
        (["train", "contrastive", "--data", "nowhere"], 1, "there is no data at nowhere"),
        (["train", "contrastive"], 2, "--data"),
        (["train", "contrastive", "--data", ".", "--gpus", "2", "--ranks", "2"], 2, "say the same"),
        (["train", "contrastive", "--data", ".", "--set", "steps=x"], 1, "a whole number"),
        (["train", "contrastive", "--data", ".", "--set", "stepz=1"], 1, "did you mean `steps`"),
        (["export", "nowhere"], 1, "is no run"),
    ],
)
def test_a_wrong_word_is_explained_before_any_work(
    line: list[str], code: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert said(line, capfd)[0] == code
    assert words in said(line, capfd)[1]
    assert not list(tmp_path.iterdir())


def test_a_text_file_is_no_data(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("a")
    assert (
        "is no build and no table"
        in said(["train", "hybrid", "--data", str(tmp_path / "notes.txt")], capfd)[1]
    )


def test_a_build_that_is_not_finished_is_not_trained_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ledger.jsonl").write_text("")
    code, words = said(["train", "hybrid", "--data", str(tmp_path)], capfd)
    assert code == 1
    assert "is not finished" in words
    assert "captionstew status" in words
