"""The detector: real loading paths on tiny models, against transformers' own pipeline."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
import transformers

from captionstew.enrich.detector import Detector, Heard
from captionstew.enrich.ontology import ontology
from captionstew.errors import RecipeError, StewError
from captionstew.train.encoders.zipformer.config import ZipformerConfig
from captionstew.train.encoders.zipformer.model import Zipformer
from captionstew.train.encoders.zipformer.tagging import ZipformerTagger

Samples = npt.NDArray[np.float32]
Melody = Callable[..., Samples]


def _heard(detector: Detector, clips: Iterable[tuple[str, Samples]]) -> dict[str, Heard]:
    return {one.key: one for one in detector.ears()(clips)}


def _clips(melody: Melody, *seconds: float) -> list[tuple[str, Samples]]:
    return [(f"{place}", melody(place, seconds=one)) for place, one in enumerate(seconds)]


def _changed(folder: Path, to: Path, name: str, **fields: Any) -> Path:
    """A copy of a model whose JSON file `name` has other fields."""
    shutil.copytree(folder, to)
    facts = json.loads((to / name).read_text()) | fields
    (to / name).write_text(json.dumps(facts))
    return to


@pytest.fixture(scope="module")
def wave_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier that hears audio of any length, and padding too where it is let."""
    torch.manual_seed(3)
    labels = dict(enumerate(ontology().classes))
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=24, conv_dim=(8, 8, 8),
        conv_kernel=(10, 8, 8), conv_stride=(8, 8, 5), num_conv_pos_embeddings=9, num_conv_pos_embedding_groups=2,
        classifier_proj_size=16, id2label=labels, label2id={name: n for n, name in labels.items()},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("wave")
    model = transformers.Wav2Vec2ForSequenceClassification(config)
    model.classifier.weight.data *= 20
    model.save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def zipformer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint as icefall exports it: encoder and head under `model`."""
    torch.manual_seed(5)
    tagger = ZipformerTagger(Zipformer(ZipformerConfig.tiny()))
    tensors = {f"{name}": value for name, value in tagger.encoder.state_dict().items()}
    tensors |= {f"classifier.1.{name}": value for name, value in tagger.classifier.state_dict().items()}
    path = tmp_path_factory.mktemp("zipformer") / "exp" / "pretrained.pt"
    path.parent.mkdir()
    torch.save({"model": tensors}, path)
    return path


def test_scores_are_those_of_transformers_pipeline(ast_folder: Path, melody: Melody) -> None:
    clips = _clips(melody, 10.0, 3.3)
    found = _heard(Detector(str(ast_folder)), clips)
    theirs = transformers.pipeline(
        "audio-classification", model=str(ast_folder), function_to_apply="sigmoid", top_k=527
    )
    for key, samples in clips:
        expected = {one["label"]: one["score"] for one in theirs(samples)}
        assert found[key].scores == pytest.approx([expected[name] for name in ontology().classes], abs=2e-5)


def test_a_clip_is_heard_alone_as_in_company(ast_folder: Path, melody: Melody) -> None:
    clips = _clips(melody, 4.0, 10.0, 1.5, 25.0)
    together = _heard(Detector(str(ast_folder)), clips)
    batched = _heard(Detector(str(ast_folder), batch_size=3), clips)
    for clip in clips:
        alone = _heard(Detector(str(ast_folder)), [clip])[clip[0]].scores
        assert np.array_equal(alone, together[clip[0]].scores), "to the last bit"
        assert alone == pytest.approx(batched[clip[0]].scores, abs=1e-5)


def test_models_of_any_length_hear_no_padding(wave_folder: Path, melody: Melody) -> None:
    clips = _clips(melody, 2.0, 3.1, 2.0, 0.7, 2.0)
    batched = _heard(Detector(str(wave_folder), batch_size=2), clips)
    for key, samples in clips:
        alone = _heard(Detector(str(wave_folder)), [(key, samples)])[key].scores
        assert alone == pytest.approx(batched[key].scores, abs=1e-5)
    assert np.abs(batched["0"].scores - batched["1"].scores).max() > 0.01


def test_the_zipformer_tagger_averages_logits_over_a_clips_own_frames(
    zipformer_file: Path, melody: Melody
) -> None:
    clips = _clips(melody, 2.0, 5.0, 0.9)
    batched = _heard(Detector(str(zipformer_file), batch_size=3), clips)
    folder = _heard(Detector(str(zipformer_file.parents[1])), clips)
    tagger = ZipformerTagger.load(zipformer_file).eval()
    for key, samples in clips:
        audio = torch.from_numpy(samples)[None]
        with torch.no_grad():
            frames, _ = tagger.encoder(*tagger.encoder.features(audio, torch.tensor([len(samples)])))
            expected = tagger.classifier(frames[0]).mean(0).sigmoid().numpy()
        assert batched[key].scores == pytest.approx(expected, abs=1e-5)
        assert folder[key].scores == pytest.approx(expected, abs=1e-5)


def test_long_clips_are_windows_of_the_models_length(ast_folder: Path, melody: Melody) -> None:
    long = melody(1, seconds=25.0)
    size = Detector(str(ast_folder)).ears().tagger.longest
    assert size == 1023 * 160 + 400, "1,024 frames"
    parts = [long[:size], long[size : 2 * size], long[-size:]]
    each = _heard(Detector(str(ast_folder)), [(str(n), part) for n, part in enumerate(parts)])
    scores = np.stack([each[str(n)].scores for n in range(3)])
    for how, expected in (("max", scores.max(0)), ("mean", scores.mean(0))):
        found = _heard(Detector(str(ast_folder), pooling=how), [("long", long)])["long"]  # type: ignore[arg-type]
        assert found.scores == pytest.approx(expected, abs=1e-6)


def test_a_timeline_has_a_window_of_two_seconds_every_second(ast_folder: Path, melody: Melody) -> None:
    clip = melody(2, seconds=5.4)
    found = _heard(Detector(str(ast_folder), timeline=True), [("clip", clip)])["clip"]
    assert [begin for begin, _ in found.timeline] == pytest.approx([0.0, 2.0, 3.0, 4.0, 5.0])
    last = _heard(Detector(str(ast_folder)), [("last", clip[-32_000:])])["last"]
    assert np.array_equal(found.timeline[-1][1], last.scores)
    plain = _heard(Detector(str(ast_folder)), [("clip", clip)])["clip"]
    assert np.array_equal(found.scores, plain.scores)
    assert plain.timeline == ()


def test_audio_too_short_for_a_frame_is_heard_with_silence_behind_it(
    ast_folder: Path, wave_folder: Path
) -> None:
    click = np.ones(40, np.float32)
    full = np.concatenate([click, np.zeros(3160, np.float32)])
    for folder in (ast_folder, wave_folder):
        found = _heard(Detector(str(folder)), [("click", click), ("full", full)])
        assert np.array_equal(found["click"].scores, found["full"].scores)


def test_bfloat16_gives_nearly_the_same_scores(ast_folder: Path, melody: Melody) -> None:
    clips = _clips(melody, 4.0)
    exact, rough = (
        _heard(Detector(str(ast_folder), precision=precision), clips)["0"].scores
        for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(exact - rough).max() < 0.1


def test_the_identity_follows_the_weights_and_what_changes_scores(ast_folder: Path, tmp_path: Path) -> None:
    plain = Detector(str(ast_folder)).identity()
    copy = tmp_path / "copy"
    shutil.copytree(ast_folder, copy)
    assert Detector(str(copy), batch_size=7, device="cpu").identity() == plain
    assert Detector(str(ast_folder), pooling="mean").identity() != plain
    assert Detector(str(ast_folder), timeline=True).identity() != plain
    assert Detector(str(ast_folder), precision="bfloat16").identity() != plain
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert Detector(str(copy)).identity() != plain
    name, _, revision = Detector(str(copy), pooling="mean").label.rpartition("@")
    assert name == "copy", "no path of this machine"
    assert revision not in {"", Detector(str(ast_folder)).label.rpartition("@")[2]}


def test_outputs_are_matched_by_name_or_machine_id_in_any_order(
    ast_folder: Path, tmp_path: Path, melody: Melody
) -> None:
    mids = {name: mid for mid, name in ontology().mids.items()}
    shuffled = [mids[name] for name in reversed(ontology().classes)]
    other = _changed(ast_folder, tmp_path / "mids", "config.json", id2label=dict(enumerate(shuffled)))
    clips = _clips(melody, 2.0)
    straight, turned = (_heard(Detector(str(f)), clips)["0"].scores for f in (ast_folder, other))
    assert np.array_equal(straight, turned[::-1])


@pytest.mark.parametrize(
    ("labels", "cause"),
    [
        ({str(n): f"LABEL_{n}" for n in range(527)}, "527 of 527 labels are no AudioSet class: LABEL_0"),
        ({str(n): "Dog" for n in range(527)}, "two of its labels are one class"),
    ],
)
def test_models_whose_labels_are_not_understood_are_refused(
    ast_folder: Path, tmp_path: Path, labels: dict[str, str], cause: str
) -> None:
    folder = _changed(ast_folder, tmp_path / "odd", "config.json", id2label=labels)
    with pytest.raises(RecipeError, match="labels are not AudioSet's") as error:
        Detector(str(folder)).ears()
    assert cause in error.value.cause


def test_an_encoder_without_its_classifier_is_refused(ast_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bare"
    shutil.copytree(ast_folder, folder)
    transformers.ASTModel.from_pretrained(ast_folder).save_pretrained(folder)
    with pytest.raises(StewError, match="the model is not whole"):
        Detector(str(folder)).ears()


def test_a_checkpoint_without_a_tagging_head_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "encoder.pt"
    torch.save(Zipformer(ZipformerConfig.tiny()).state_dict(), path)
    with pytest.raises(StewError, match="no tagging head"):
        Detector(str(path)).ears()


def test_a_name_that_cannot_be_had_says_what_else_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(RecipeError, match="there is no detector 'nobody/nothing'") as error:
        Detector("nobody/nothing").identity()
    assert "''" in error.value.hint
