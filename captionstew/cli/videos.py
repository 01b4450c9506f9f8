"""fetch --youtube: the clips of corpora on YouTube, asked for one by one in the user's own name."""

from collections import Counter
from collections.abc import Sequence

from captionstew.cli.console import TICK, Console
from captionstew.corpora.facts import Corpus
from captionstew.errors import FetchError
from captionstew.fetch.store import Store
from captionstew.fetch.youtube import TERMS, check_tools, fetch_all, videos
from captionstew.figures import plural

_TOLD = 20  # clips between two lines
_ENOUGH = 10  # failures in a row: YouTube asks who we are, or the network is gone


def fetch_videos(corpora: Sequence[Corpus], store: Store, split: str | None, console: Console) -> int:
    """Whatever YouTube gives is in the folders of the corpora; the rest is counted, and is `missing` in a build."""
    console.tell(f"  {TERMS}")
    check_tools()
    for facts in corpora:
        if facts.audio.access != "youtube":
            raise FetchError(f"{facts.name} is not on YouTube", hint=f"captionstew fetch {facts.name}")
        if not store.complete(facts, only="annotations"):
            raise FetchError(f"the annotations of {facts.name} are not here",
                             hint=f"captionstew fetch {facts.name} --only annotations")  # fmt: skip
        _fetch(facts, store, split, console)
    console.next(
        f"captionstew build {corpora[0].name} --audio {corpora[0].name}={store.corpus(corpora[0].name)}"
    )
    return 0


def _fetch(facts: Corpus, store: Store, split: str | None, console: Console) -> None:
    splits = (facts.splits.names.get(split, split),) if split else None
    clips = videos(facts, (store.corpus(facts.name),), splits)
    failed: Counter[str] = Counter()
    here = in_a_row = 0
    for number, (clip, fault) in enumerate(fetch_all(clips, store.corpus(facts.name)), 1):
        here, in_a_row = here + (not fault), in_a_row + 1 if fault else 0
        failed[fault.replace(clip.id, "ID")] += bool(fault)
        if number % _TOLD == 0:
            console.tell(f"  {facts.name}: {number:,} of {len(clips):,} asked for, {here:,} here")
        if in_a_row == _ENOUGH:
            console.tell(f"  {facts.name}: {_ENOUGH} in a row were refused, the last with: {fault}")
            break
    console.data({"corpus": facts.name, "clips": len(clips), "here": here, "failed": dict(+failed)})
    console.mark(TICK, f"{facts.name}: {plural(here, 'clip')} of {len(clips):,} here")
    for fault, count in (+failed).most_common(5):
        console.say(f"    {count:,} {fault}")
