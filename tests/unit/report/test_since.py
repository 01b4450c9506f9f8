"""Two versions, clip by clip."""

from pathlib import Path

from captionstew.report.since import Moves, since

from .builds import caption, release, row


def test_clips_are_added_removed_recaptioned_heard_otherwise_or_the_same(tmp_path: Path) -> None:
    before = release(tmp_path / "before", [row(number) for number in range(6)])
    changed = row(1) | {"captions": [caption("another text", "clotho")]}
    heard = row(2) | {"audio_sha256": "0" * 64}
    both = row(3) | {"captions": [], "audio_sha256": "0" * 64}
    after = release(tmp_path / "after", [changed, heard, both, row(4), row(5), row(6), row(7, "esc50")])
    found = since(before, after)
    assert found.clips == {
        "clotho": Moves(added=1, removed=1, captions=2, audio=2, same=2),
        "esc50": Moves(added=1),
    }
    assert [(one.corpus, one.kind) for one in found.changes] == [("clotho", "changed"), ("esc50", "added")]


def test_the_order_of_captions_counts_and_one_of_two_is_not_both(tmp_path: Path) -> None:
    texts = [caption("a", "clotho"), caption("b", "clotho")]
    before = release(tmp_path / "before", [row(1, captions=texts), row(2, captions=texts)])
    after = release(tmp_path / "after", [row(1, captions=texts[::-1]), row(2, captions=texts[:1])])
    assert since(before, after).clips["clotho"].captions == 2


def test_a_build_is_the_same_as_itself(tmp_path: Path) -> None:
    made = release(tmp_path, [row(number) for number in range(4)], ("audio", "captions"))
    assert since(made, made).clips == {"clotho": Moves(same=4)}
