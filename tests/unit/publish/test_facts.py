"""Facts are counted once, chain from stage to stage, and compare two manifests."""

from dataclasses import replace

import pytest

from captionstew.publish.facts import Loss, caption_losses, changes, compared, facts, flows
from captionstew.shards.manifest import Account, Manifest
from captionstew.shards.release import ReleaseFile, Share, Total

from .releases import MODEL, NC, SA, YOUTUBE, rich


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return rich(tmp_path_factory.mktemp("build")).manifest


def total(tier: str, corpus: str, split: str, clips: int, captions: int) -> Total:
    licenses = {"CC0-1.0": Share(clips, clips / 100)}
    return Total(tier, corpus, split, 1, clips, captions, clips / 100, licenses)


def file(tier: str, corpus: str, split: str, sha256: str, number: int = 0) -> ReleaseFile:
    path = f"data/{tier}/{corpus}/{split}-{number:05d}-of-00002.parquet"
    return ReleaseFile(path, tier, corpus, split, "clip.v1", 1, 1, 1.0, 10, sha256)


def small(totals: list[Total], files: list[ReleaseFile], accounts: list[Account] | None = None) -> Manifest:
    return Manifest("r", "d", tuple(files), tuple(totals), tuple(accounts or ()), {})


def test_a_clip_in_two_tiers_counts_once_and_in_each_of_them(manifest: Manifest) -> None:
    found = facts(manifest)
    assert (found.whole.clips, found.whole.captions) == (30, 33)
    assert {tier: amount.clips for tier, amount in found.tiers.items()} == {
        "audio": 20, "audio-nc": 3, "audio-sa": 3, "captions": 30,
    }  # fmt: skip
    fsd50k = found.corpus("fsd50k")
    assert fsd50k.whole.clips == 9
    assert {one.license: (one.clips, one.tiers) for one in fsd50k.licenses} == {
        "CC0-1.0": (3, ("audio", "captions")),
        NC: (3, ("audio-nc", "captions")),
        SA: (3, ("audio-sa", "captions")),
    }
    assert found.corpus("audiocaps").licenses[0].license == YOUTUBE
    assert found.whole.bytes == sum(one.bytes for one in manifest.files)


def test_splits_come_in_their_order_and_sum_to_the_whole(manifest: Manifest) -> None:
    found = facts(manifest)
    assert list(found.splits) == ["train", "test"]
    assert sum(one.clips for one in found.splits.values()) == found.whole.clips
    assert found.corpus("nothing").whole.clips == 0


def test_flows_end_in_what_the_release_holds(manifest: Manifest) -> None:
    every = {flow.corpus: flow for flow in flows(manifest)}
    for corpus in facts(manifest).corpora:
        assert every[corpus.name].kept == corpus.whole.clips
    sampler = every["sampler-audiocaps"]
    assert sampler.losses == (Loss("read", "missing", 2), Loss("publish", "withdrawn", 1))
    assert (sampler.received, sampler.kept, sampler.merged, sampler.dropped) == (17, 14, 0, 3)


def test_a_stage_that_received_less_than_the_one_before_kept_is_found() -> None:
    accounts = [Account("a", "read", 9, 8, {"missing": 1}), Account("a", "merge", 7, 7, {})]
    with pytest.raises(AssertionError, match="lost between stages"):
        flows(small([], [], accounts))
    with pytest.raises(AssertionError, match="rows were lost"):
        flows(small([], [], [Account("a", "read", 9, 8, {})]))


def test_rows_that_merged_are_no_loss_and_captions_are_counted_apart() -> None:
    accounts = [
        Account("a", "merge", 9, 7, {"merged": 2}),
        Account("llm", "guard.captions", 5, 3, {"lost-event": 2}),
    ]
    manifest = small([], [], accounts)
    (flow,) = flows(manifest)
    assert (flow.merged, flow.dropped) == (2, 0)
    assert caption_losses(manifest) == {"llm": (Loss("guard", "lost-event", 2),)}


def test_an_evaluation_set_without_audio_is_told_from_one_without_findings(manifest: Manifest) -> None:
    clotho, esc50 = compared(manifest)
    assert (clotho.items["fingerprint"], esc50.items["fingerprint"]) == (90, 0)
    assert (clotho.clips, esc50.clips) == (2, 0)


def test_changes_tell_added_changed_removed_and_same_corpora() -> None:
    before = small(
        [total("audio", name, "train", 5, 5) for name in ("a", "b", "c")],
        [file("audio", "a", "train", "1"), file("audio", "b", "train", "2"), file("audio", "c", "train", "3"),
         file("audio", "c", "train", "4", 1)],
    )  # fmt: skip
    after = small(
        [total("audio", "a", "train", 5, 5), total("audio", "c", "train", 4, 6), total("audio", "d", "train", 1, 1)],
        [file("audio", "a", "train", "1"), file("audio", "c", "train", "9"), file("audio", "d", "train", "5")],
    )  # fmt: skip
    found = {one.corpus: one for one in changes(before, after)}
    assert {name: one.kind for name, one in found.items()} == {
        "a": "same", "b": "removed", "c": "changed", "d": "added",
    }  # fmt: skip
    c = found["c"]
    assert (c.new, c.changed, c.same, c.gone) == (0, 1, 0, 1)
    assert (c.before.clips, c.after.clips, c.after.captions) == (5, 4, 6)


def test_averages_of_nothing_are_nothing(manifest: Manifest) -> None:
    empty = facts(replace(manifest, totals=(), files=()))
    assert (empty.whole.captions_per_clip, empty.whole.seconds_per_clip, empty.corpora) == (0, 0, ())
    assert manifest.enrichment[0].model == MODEL
