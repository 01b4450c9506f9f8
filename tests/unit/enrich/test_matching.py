"""Guard's optional judge: a model that hears the clips; in builds of tiny audio with a tiny CLAP."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import soundfile

from captionstew.audio.signal import resample
from captionstew.cli.console import Console
from captionstew.cli.enrich_plan import show_enriched
from captionstew.cli.enriching import check_ready
from captionstew.cli.main import main
from captionstew.corpora.readers.folder import own
from captionstew.enrich.guard import REASONS
from captionstew.enrich.similarity import Similarity
from captionstew.errors import RecipeError, StewError
from captionstew.pipeline.build import Build
from captionstew.pipeline.request import Request
from captionstew.pipeline.stage import Context, Out, Tables, TableStage
from captionstew.recipe import recipe
from captionstew.shards.manifest import read_manifest
from captionstew.stages.enrich import Enrich
from captionstew.stages.guard import Guard

Melody = Callable[..., npt.NDArray[np.float32]]
WORDS = ("dog", "rain", "bell", "train", "bird", "wind")
ANY = REASONS[:-1]  # reasons of the rules, which are not what is tried here


@dataclass(frozen=True)
class Written(TableStage):
    """Two generated captions for every clip."""

    def __call__(self, tables: Tables, context: Context) -> Out:
        """As Enrich leaves them."""
        texts = pl.col("text") + ", and again", pl.lit("something is heard")
        made = tables.captions.with_columns(source=pl.lit("llm"), style=pl.lit("machine"))
        parts = [made.with_columns(place=pl.lit(n, pl.UInt16), text=text) for n, text in enumerate(texts, 1)]
        captions = pl.concat([tables.captions, *parts])
        return Out(Tables(tables.clips, captions), received=Tables(tables.clips, captions))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, melody: Melody) -> Path:
    """Six sounds with a caption each, some of which a build passes through."""
    folder = tmp_path_factory.mktemp("own")
    lines = []
    for number, word in enumerate(WORDS):
        name = f"{word}.{'flac' if number % 2 else 'wav'}"
        soundfile.write(folder / name, melody(number, seconds=1.5 + number / 2), 16_000)
        lines.append(json.dumps({"audio": name, "caption": f"a {word} is heard"}))
    (folder / "clips.jsonl").write_text("\n".join(lines))
    return folder / "clips.jsonl"


def _build(source: Path, out: Path, guard: Guard) -> Path:
    corpus, places = own(source)
    pipeline = recipe("folder")
    stages = (*pipeline.stages[:-1], Written(), guard, pipeline.stages[-1])
    request = Request(
        replace(pipeline, stages=stages), out, (corpus,), {corpus.name: tuple(places)}, cluster="none"
    )
    Build(request).run()
    return out


def _captions(out: Path) -> list[tuple[str, str]]:
    rows = pl.read_parquet(sorted(out.glob("data/audio/*/*.parquet")), columns=["clip_id", "captions"])
    return [(row["clip_id"], one["text"]) for row in rows.iter_rows(named=True) for one in row["captions"]]


@pytest.fixture(scope="module")
def scored(source: Path, clap_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build whose captions are scored, none of them dropped for it."""
    out = tmp_path_factory.mktemp("scored") / "build"
    return _build(source, out, Guard(similarity=str(clap_folder), allow=ANY))


def test_scores_are_those_of_each_text_with_the_sound_of_its_clip(
    scored: Path, source: Path, clap_folder: Path
) -> None:
    table = pl.read_parquet(scored / "enrich" / "similarity.parquet")
    assert dict(table.group_by("kind").len().iter_rows()) == {"generated": 12, "original": 6, "another's": 6}
    similarity = Similarity.load(clap_folder)
    for row in table.iter_rows(named=True):
        (path,) = source.parent.glob(f"{Path(row['clip_id'].partition(':')[2]).stem}.*")
        samples, rate = soundfile.read(path, dtype="float32")
        sound = resample(samples, rate, similarity.sample_rate)
        assert row["score"] == pytest.approx(float(similarity.scores([sound], [row["text"]])[0]), abs=2e-3)
    own_words = table.filter(pl.col("kind") == "another's").filter(
        pl.col("clip_id").str.extract(r"(\w+)\.\w+$") == pl.col("text").str.extract(r"a (\w+) is")
    )
    assert own_words.is_empty()
    assert len(_captions(scored)) == 18


def test_a_model_is_loaded_without_a_word(clap_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Similarity.load(clap_folder)
    assert capfd.readouterr() == ("", "")


def test_captions_below_the_threshold_are_dropped_and_no_score_is_computed_again(
    scored: Path, source: Path, clap_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pl.read_parquet(scored / "enrich" / "similarity.parquet").filter(kind="generated")
    least = float(table["score"].sort()[5])
    low = table.filter(pl.col("score") < least).select("clip_id", "text").rows()
    assert len(low) == 5
    files = {path: path.stat().st_mtime_ns for path in (scored / "work" / "similarity").rglob("*/*.parquet")}
    before = set(_captions(scored))
    _build(source, scored, Guard(similarity=str(clap_folder), allow=ANY, least_similarity=least))
    assert before - set(_captions(scored)) == set(low)
    manifest = json.loads((scored / "manifest.json").read_text())
    (account,) = [
        one for one in manifest["accounting"] if one["stage"] == "guard.captions" and one["corpus"] == "llm"
    ]
    assert account["drops"] == {"unlike-audio": 5}
    assert files == {
        path: path.stat().st_mtime_ns for path in (scored / "work" / "similarity").rglob("*/*.parquet")
    }
    show_enriched(read_manifest(scored), Console())
    assert "guard: 5 captions of those dropped, unlike-audio 5" in capsys.readouterr().out
    fresh = _build(
        source, tmp_path / "fresh", Guard(similarity=str(clap_folder), allow=ANY, least_similarity=least)
    )
    assert _hashes(fresh) == _hashes(scored)
    _build(source, scored, Guard(similarity=str(clap_folder), allow=ANY))  # as the next test finds it


def _hashes(out: Path) -> list[str]:
    paths = [*sorted((out / "data").rglob("*.parquet")), out / "enrich" / "similarity.parquet"]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_the_curve_says_what_each_threshold_costs(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enrich", "similarity", str(scored), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["originals"], found["others"], found["generated"]) == (6, 6, 12)
    table = pl.read_parquet(scored / "enrich" / "similarity.parquet")
    for point in found["curve"]:
        kept = table.group_by("kind").agg((pl.col("score") >= point["threshold"]).mean())
        shares = dict(kept.iter_rows())
        assert [point[name] for name in ("originals", "others", "generated")] == pytest.approx(
            [shares[kind] for kind in ("original", "another's", "generated")]
        )
    assert found["curve"][0]["originals"] == 1
    assert [point["originals"] for point in found["curve"]] == sorted(
        {p["originals"] for p in found["curve"]}
    )[::-1]
    assert main(["enrich", "similarity", str(scored)]) == 0
    said = capsys.readouterr()
    assert "another clip's kept" in said.out + said.err
    assert "--set Guard.least_similarity=" in said.out + said.err


def test_a_build_without_scores_is_told_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["enrich", "similarity", str(tmp_path / "nowhere")]) == 1
    assert "nowhere is no build" in capsys.readouterr().err
    (tmp_path / "recipe.json").write_text("{}")
    assert main(["enrich", "similarity", str(tmp_path)]) == 1
    assert "--set Guard.similarity=" in capsys.readouterr().err


def test_a_model_that_hears_nothing_is_refused_before_any_work(ast_folder: Path) -> None:
    with pytest.raises(RecipeError, match="compares no text with audio"):
        Guard(similarity=str(ast_folder)).model.check()


def test_the_guards_model_is_looked_at_first_also_where_a_build_was_enriched_before(
    ast_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "enrich").mkdir()
    (tmp_path / "enrich" / "provenance.parquet").touch()
    folder = recipe("folder")
    enrich, guard = Enrich(endpoint="http://127.0.0.1:9"), Guard(similarity=str(ast_folder))
    judged, plain = (
        folder.with_stages([*folder.stages[:-1], *more, folder.stages[-1]])
        for more in ((enrich, guard), (enrich,))
    )
    request = Request(judged, tmp_path, (), {}, cluster="none")
    with pytest.raises(RecipeError, match="compares no text with audio"):
        check_ready(request)
    check_ready(replace(request, pipeline=plain))  # what is there needs no server
    with pytest.raises(StewError):
        check_ready(replace(request, pipeline=plain, fresh=True))
