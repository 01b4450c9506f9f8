"""fetch: the files of corpora into the store, in the layout that --audio takes."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from captionstew.cli.console import CROSS, LOOK, TICK, Console
from captionstew.cli.moving import moving
from captionstew.cli.parser import Arguments
from captionstew.cli.rates import remember
from captionstew.cli.table import Column
from captionstew.corpora.facts import Corpus, corpus
from captionstew.corpora.strict import nearest
from captionstew.errors import FetchError, StewError, UsageError
from captionstew.fetch.store import Store
from captionstew.fetch.wanted import WORDS, Item, Wanted, takes, wanted
from captionstew.figures import UNKNOWN, plural, size

if TYPE_CHECKING:
    from captionstew.fetch.fetch import Fetched
    from captionstew.fetch.parcels import Parcel

_COLUMNS = (Column(""), Column("corpus"), Column("part"), Column("what", least=20), Column("size", right=True),
            Column("state", least=16))  # fmt: skip
_ITEMS_SHOWN = 40


def run(arguments: Arguments, console: Console) -> int:
    """Fetch, or say what would be; the same command again continues."""
    store = Store(Path(arguments.to) if arguments.to else None)
    wants = [_wanted(corpus(name), arguments) for name in dict.fromkeys(arguments.name)]
    if arguments.remove:
        for want in wants:
            store.remove(want.corpus.name)
    elif arguments.dry_run:
        _show(wants, store, console, offline=arguments.offline)
        console.next(f"captionstew fetch {' '.join(arguments.name)}")
        return 0
    elif arguments.youtube:
        from captionstew.cli.videos import fetch_videos

        return fetch_videos([want.corpus for want in wants], store, arguments.split, console)
    else:
        fetched = fetch(wants, store, console, offline=arguments.offline, jobs=arguments.jobs)
        _tell(wants, fetched, store, console)
    if arguments.keep_under is not None:
        _keep_under(store, arguments.keep_under, console)
    _next(wants, store, console, elsewhere=bool(arguments.to))
    return 0


def fetch(
    wants: Sequence[Wanted], store: Store, console: Console, *, offline: bool = False, jobs: int = 4
) -> "Fetched":
    """What the corpora want and may have is in the store; StewError about all that failed, the rest stays."""
    _check_tools()
    from captionstew.fetch.fetch import Fetcher
    from captionstew.fetch.web import Web

    items = [item for want in wants for item in want.items if item.urls and item.barrier != "form"]
    with moving(console) as seen:
        web = Web()
        try:
            fetcher = Fetcher(store, web, jobs, seen, seen.plan)
            fetched = fetcher.offline(items) if offline else fetcher(items)
            remember("network", seen.done, time.monotonic() - seen.began)
            return fetched
        finally:
            web.stop.set()
            web.close()


def _check_tools() -> None:
    try:
        import httpx2  # noqa: F401
    except ImportError as error:
        hint = "pip install 'captionstew[fetch]'"
        raise FetchError("a package that fetches is not here", cause=str(error), hint=hint) from None


def fetch_for_build(wants: Sequence[Wanted], store: Store, console: Console) -> None:
    """As `fetch`, before a build, which needs all of it."""
    missing = [item for want in wants for item in want.items if not store.has(item)]
    if missing:
        names = ", ".join(dict.fromkeys(item.corpus for item in missing))
        console.tell(f"fetching {names} into {store.folder}   (stop any time; the same command continues)")
        for line in _barred([wanted(want.corpus, only="audio") for want in wants if _takes_audio(want)]):
            console.tell(f"  not fetched: {line}")
    fetch(wants, store, console).check()


def _takes_audio(want: Wanted) -> bool:
    return any(item.part == "audio" for item in want.items)


def _wanted(facts: Corpus, arguments: Arguments) -> Wanted:
    splits = (arguments.split,) if arguments.split else None
    if splits:
        known = dict.fromkeys(file.split for file in facts.files if file.split)
        named = [*known, *dict.fromkeys(facts.splits.names.get(name, name) for name in known)]
        if known and not any(takes(facts, name, splits) for name in known):
            raise UsageError(
                f"{facts.name} has no split {arguments.split}", hint=nearest(arguments.split, named)
            )
    want = wanted(facts, splits, arguments.only)
    if not want.items:
        raise FetchError(f"{facts.name} has nothing to fetch", cause="it is made on this machine, or is your own",
                         hint="captionstew build sampler")  # fmt: skip
    return want


def _show(wants: Sequence[Wanted], store: Store, console: Console, *, offline: bool) -> None:
    """What would be fetched; sizes that the facts do not say are asked for, once."""
    items = [item for want in wants for item in want.items]
    missing = [item for item in items if not item.barrier and not store.has(item)]
    sizes = {item: item.promise.bytes for item in items}
    sizes |= {} if offline else _asked([item for item in missing if sizes[item] is None], store, console)
    known = sum(sizes[item] or 0 for item in missing)
    unknown = sum(sizes[item] is None for item in missing)
    console.data({"store": str(store.folder), "items": [_plain(item, store) | {"bytes": sizes[item]} for item in items],
                  "bytes": known, "unknown": unknown})  # fmt: skip
    console.rows(_COLUMNS, [_row(item, sizes[item], store) for item in items[:_ITEMS_SHOWN]])
    if len(items) > _ITEMS_SHOWN:
        console.say(f"  and {len(items) - _ITEMS_SHOWN} more; --json has all")
    console.say()
    more = f", and {plural(unknown, 'item')} of unknown size" if unknown else ""
    console.say(f"  to fetch: {size(known)}{more}, into {store.folder}")
    _barriers(wants, console)


def ask(items: Sequence[Item], store: Store, console: Console) -> "dict[Item, tuple[Parcel, ...]]":
    """What servers say that the items are; who cannot be reached is said once. Nothing is downloaded."""
    _check_tools()
    from captionstew.fetch.fetch import Fetcher
    from captionstew.fetch.patience import Patience
    from captionstew.fetch.web import Web

    web = Web(Patience(connect=4.0, read=8.0, tries=2, unreached=1))
    told, failed = Fetcher(store, web, jobs=8).ask(items)
    web.close()
    for message in dict.fromkeys(f"{error.message}: {error.cause}" for _, error in failed):
        console.tell(f"  {message}")
    return told


def _asked(items: Sequence[Item], store: Store, console: Console) -> dict[Item, int | None]:
    """Sizes by the servers."""
    told = ask(items, store, console)
    sizes = {item: [parcel.bytes for parcel in parcels] for item, parcels in told.items()}
    return {item: None if None in known else sum(filter(None, known)) for item, known in sizes.items()}


def _plain(item: Item, store: Store) -> dict[str, object]:
    return {"corpus": item.corpus, "part": item.part, "name": item.name, "to": item.to, "split": item.split,
            "urls": item.urls, **asdict(item.promise), "barrier": item.barrier, "page": item.page,
            "here": store.has(item)}  # fmt: skip


def _row(item: Item, num_bytes: int | None, store: Store) -> list[str]:
    here = store.has(item)
    mark = TICK if here else LOOK if item.barrier in {"", "gated"} else CROSS
    known = UNKNOWN if num_bytes is None else size(num_bytes)
    state = "here" if here else WORDS[item.barrier]
    return [
        mark,
        item.corpus,
        item.part,
        item.name,
        known,
        state + " (optional)" * (item.optional and not here),
    ]


def _tell(wants: Sequence[Wanted], fetched: "Fetched", store: Store, console: Console) -> None:
    """What came of it; raises what failed, after what is here was said."""
    local = {want.corpus.name: store.local(want.corpus) for want in wants}
    if not _failed(fetched):
        console.data({"store": str(store.folder), "corpora": [
            {"name": name, "folder": str(store.corpus(name)), **asdict(state)} for name, state in local.items()],
            "optional": [{"name": item.name, "error": str(error)} for item, error in fetched.failed]})  # fmt: skip
    for name, state in local.items():
        if state.state != "absent":
            console.mark(TICK, f"{name}: {state.state}, {size(state.bytes)} in {store.corpus(name)}")
    for item, error in fetched.failed:
        if item.optional:
            console.tell(f"  {item.name} (optional): {error.message}")
    _barriers(wants, console)
    fetched.check()
    if not fetched.here:
        raise _nothing(wants)


def _failed(fetched: "Fetched") -> bool:
    return any(not item.optional for item, _ in fetched.failed) or not fetched.here


def _nothing(wants: Sequence[Wanted]) -> StewError:
    names = ", ".join(want.corpus.name for want in wants)
    return FetchError(f"nothing of {names} can be fetched", cause="; ".join(_barred(wants)),
                      hint=f"get it yourself: --audio {wants[0].corpus.name}=DIR")  # fmt: skip


def _barriers(wants: Sequence[Wanted], console: Console) -> None:
    """What is not fetched and why, and the public copies that some use."""
    for line in _barred(wants):
        console.tell(f"  {line}")
    for want in wants:
        if any(item.part == "audio" and item.barrier for item in want.items):
            for mirror in want.corpus.mirrors:
                console.tell(f"  {want.corpus.name}: a copy that some use: {mirror.url} (licence: {mirror.license}); "
                             f"{mirror.about}")  # fmt: skip


def _barred(wants: Sequence[Wanted]) -> list[str]:
    lines = [f"{item.corpus}: {item.name if item.urls else 'its ' + item.part} is {WORDS[item.barrier]}: {item.page}"
             for want in wants for item in want.barred]  # fmt: skip
    return list(dict.fromkeys(lines))


def _keep_under(store: Store, most: int, console: Console) -> None:
    from captionstew.fetch.evict import keep_under

    evicted = keep_under(store, most)
    console.tell(f"  {size(evicted.bytes)} given back; the store holds {size(evicted.left)}")
    if evicted.left > most:
        console.tell("  the rest belongs to corpora: captionstew fetch NAME --remove gives one up")


def _next(wants: Sequence[Wanted], store: Store, console: Console, *, elsewhere: bool) -> None:
    name = wants[0].corpus.name
    given = f" --audio {name}={store.corpus(name)}" if elsewhere else ""
    console.next(f"captionstew build {name}{given}")
