"""What a page for everybody may have."""

from captionstew.report.public import shown, tier


def test_sound_is_for_everybody_only_where_the_license_lets_it_be_passed_on() -> None:
    allowed = shown(public=True)
    assert allowed.clip("clotho", "CC-BY-4.0").sound
    assert allowed.clip("clotho", "CC-BY-SA-4.0").sound
    for license in ("CC-BY-NC-4.0", "LicenseRef-YouTube", "LicenseRef-CC-Sampling-Plus-1.0"):
        found = allowed.clip("clotho", license)
        assert (found.clip, found.sound, found.why != "") == (True, False, True), license
    assert not allowed.clip("audiocaps", "LicenseRef-YouTube").sound


def test_what_nobody_has_looked_at_stays_off_the_page() -> None:
    allowed = shown(public=True)
    for corpus, license in (("clotho", "LicenseRef-unknown"), ("nobody-knows-it", "CC0-1.0")):
        found = allowed.clip(corpus, license)
        assert not found.clip
        assert not found.sound
        assert not found.texts
        assert found.why


def test_titles_of_commercial_libraries_are_not_shown() -> None:
    allowed, row = shown(public=True), {"corpus": "laion-epidemic", "license": "LicenseRef-Epidemic-Sound"}
    assert not allowed.caption(row, "laion-epidemic", None)
    assert not allowed.caption(row | {"corpus": "nobody-knows-it"}, "laion-epidemic", None)
    assert allowed.caption({"corpus": "clotho", "license": "CC-BY-4.0"}, "clotho", None)


def test_for_oneself_everything_is_shown() -> None:
    allowed = shown(public=False)
    assert allowed.clip("nobody-knows-it", "LicenseRef-unknown").sound
    assert allowed.caption({}, "laion-epidemic", None)


def test_the_tier_of_a_license_is_that_of_the_gate() -> None:
    assert tier("clotho", "CC-BY-4.0") == "audio"
    assert tier("clotho", "CC-BY-SA-4.0") == "audio-sa"
    assert tier("clotho", "CC-BY-NC-4.0") == "audio-nc"
    assert tier("audiocaps", "LicenseRef-YouTube") is None
    assert tier("nobody-knows-it", "CC0-1.0") is None
