"""Documents: every file of a release that is not data, from the release alone."""

from captionstew.publish.card import card
from captionstew.publish.changelog import changelog, published
from captionstew.publish.configs import configs
from captionstew.publish.contents import Release
from captionstew.publish.croissant import croissant
from captionstew.publish.datasheet import datasheet
from captionstew.publish.examples import examples
from captionstew.publish.frozen import contracts, frozen
from captionstew.publish.licenses import licenses
from captionstew.publish.withdrawn import PATH, withdrawn

_ALWAYS = ("release.v1", "removed.v1")


def documents(release: Release, date: str = "") -> dict[str, bytes]:
    """Every document but the manifest and its checksums, by path; the same release gives the same bytes.

    `date` (YYYY-MM-DD) is the day of publication. A tag that the changelog has already keeps the day that stands there.
    """
    known = published(release)
    day = date if known is None else known
    rows = examples(release)
    pages = {
        "README.md": card(release, rows),
        "LICENSES.md": licenses(release),
        "DATASHEET.md": datasheet(release),
        "CHANGELOG.md": changelog(release, day),
    }
    texts = {path: text.encode() for path, text in pages.items()}
    played = {example.path: example.audio for example in rows if example.path}
    used = dict.fromkeys((*(one.schema.key for one in configs(release)), *_ALWAYS))
    others = {"croissant.json": croissant(release, day), PATH: withdrawn(release.removals)}
    return texts | others | played | frozen(release) | contracts(used)
