"""What the user orders: a release, folders of audio, and what becomes of audio that is not the published one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from captionstew.attach.facts import facts_of
from captionstew.attach.pipeline import attaching
from captionstew.attach.release import CaptionsRelease
from captionstew.corpora.facts import Corpus
from captionstew.corpora.strict import nearest
from captionstew.errors import CorpusError, UsageError
from captionstew.fetch.store import Store
from captionstew.fetch.wanted import wanted
from captionstew.pipeline.request import Request

Places = Mapping[str, tuple[Path, ...]]


@dataclass(frozen=True)
class Order:
    """A release and the request that attaches audio to it; `notes` say why its shards may differ from the published."""

    release: CaptionsRelease
    request: Request
    notes: tuple[str, ...]

    @property
    def unasked(self) -> tuple[str, ...]:
        """The corpora of the release that nobody has named a folder for."""
        return tuple(name for name in self.release.corpora if name not in self.request.pipeline.corpora)


def ordered(
    release: CaptionsRelease, given: Places, out: Path, only: Sequence[str] = (), codec: str | None = None, *,
    other_audio: bool = False, limit: int | None = None, cluster: str = "auto", fresh: bool = False,
) -> Order:  # fmt: skip
    """The order; CorpusError or UsageError where a corpus is not in the release or its audio is nowhere.

    Corpora that are not in `given` are taken from the store, as far as their audio was fetched into it.
    """
    for name in only:
        if name not in release.corpora:
            raise CorpusError(
                f'no corpus "{name}" is in {release.where}', hint=nearest(name, release.corpora)
            )
    names = [name for name in release.corpora if not only or name in only]
    places = _places(release, names, given)
    if lacking := [name for name in only if name not in places]:
        raise UsageError(
            f"of {lacking[0]} no audio is at hand", hint=f"say where it lies: --audio {lacking[0]}=DIR"
        )
    if not places:
        raise _nothing_given(release, names)
    asked = tuple(name for name in names if name in places)
    corpora = tuple(facts_of(release, name) for name in asked)
    made = attaching(release, asked, codec, other_audio=other_audio)
    request = Request(made.pipeline, out, corpora, places, limit, cluster, fresh)
    return Order(release, request, made.notes)


def _places(release: CaptionsRelease, names: Sequence[str], given: Places) -> dict[str, tuple[Path, ...]]:
    """The folders of these corpora: as given, else in the store."""
    store, places = Store(), {}
    for name in names:
        if name in given:
            places[name] = given[name]
        elif any(store.has(item) for item in wanted(facts_of(release, name), only="audio").items):
            places[name] = (store.corpus(name),)
    return places


def _nothing_given(release: CaptionsRelease, names: Sequence[str]) -> UsageError:
    lines = [f"{name}: {release.clips(name):,} clips, {release.hours(name):,.1f} h" for name in names]
    known = {name: facts_of(release, name) for name in names}
    fetch = [name for name, facts in known.items() if _is_open(facts)]
    hints = [f"say where a corpus lies: --audio {names[0]}=DIR"]
    hints += [f"or fetch what is open: captionstew fetch {' '.join(fetch[:3])}"] if fetch else []
    return UsageError(
        "no audio is given to attach",
        cause="\n".join(["the release describes", *lines]),
        hint="\n".join(hints),
    )


def _is_open(facts: Corpus) -> bool:
    return any(item.part == "audio" for item in wanted(facts).open)
