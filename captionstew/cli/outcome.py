"""What came of a build, corpus by corpus, from its manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from captionstew.cli.console import CROSS, TICK, Console
from captionstew.cli.table import Column
from captionstew.figures import NONE, count, hours, licenses, plural, reasons, share
from captionstew.shards.manifest import Account, Leak, Manifest

_MERGED = "merged"  # into a clip that another row described first: not lost, its captions moved
_COLUMNS = (
    Column("corpus"),
    Column("clips", right=True),
    Column("hours", right=True),
    Column("captions", right=True),
    Column("merged", right=True, spare=2),
    Column("dropped", right=True),
    Column("why, mostly", least=16),
    Column("license", least=12, spare=1),
)
_LEAKS = (
    Column("evaluation set"),
    Column("clips in it", right=True),
    Column("how, and of which corpus", least=20),
)


@dataclass(frozen=True)
class Outcome:
    """The account of one corpus: received = kept + merged + dropped."""

    corpus: str
    received: int
    kept: int
    merged: int
    drops: Mapping[str, int]
    captions: int
    hours: float
    licenses: tuple[str, ...]

    @property
    def dropped(self) -> int:
        """Rows that are in no shard, for whatever reason."""
        return sum(self.drops.values())

    @property
    def balances(self) -> bool:
        """Whether no row is unaccounted for."""
        return self.received == self.kept + self.merged + self.dropped


def outcomes(manifest: Manifest) -> tuple[Outcome, ...]:
    """Every corpus of a build, in the recipe's order."""
    accounts: dict[str, list[Account]] = {}
    for account in manifest.accounting:
        if "." not in account.stage:  # `merge.captions` counts captions
            accounts.setdefault(account.corpus, []).append(account)
    return tuple(_outcome(corpus, made, manifest) for corpus, made in accounts.items())


def _outcome(corpus: str, made: list[Account], manifest: Manifest) -> Outcome:
    drops: dict[str, int] = {}
    for account in made:
        for reason, number in account.drops.items():
            drops[reason] = drops.get(reason, 0) + number
    own = [total for total in manifest.totals if total.corpus == corpus]
    held = [total for total in own if total.tier == "captions"] or own  # a tier of captions has every clip
    names = dict.fromkeys(name for total in held for name in total.licenses)
    return Outcome(
        corpus, made[0].received, sum(total.clips for total in held), drops.pop(_MERGED, 0), drops,
        sum(total.captions for total in held), round(sum(total.hours for total in held), 6), tuple(names),
    )  # fmt: skip


def show(every: Iterable[Outcome], console: Console) -> None:
    """The table of corpora and the line that accounts for every row."""
    found = list(every)
    console.rows(_COLUMNS, [_row(one) for one in found])
    console.say()
    received, kept, merged, dropped = (
        sum(getattr(one, name) for one in found) for name in ("received", "kept", "merged", "dropped")
    )
    line = f"received {received:,} = kept {kept:,} + merged {merged:,} + dropped {dropped:,}"
    console.mark(TICK if all(one.balances for one in found) else CROSS, line)


def show_leaks(manifest: Manifest, console: Console) -> None:
    """The evaluation sets that clips were found in, by method and corpus; and those that could not be listened to."""
    found: dict[str, list[Leak]] = {}
    for leak in manifest.leaks:
        if leak.clips and leak.method != "split":  # its own clips are no leak
            found.setdefault(leak.against, []).append(leak)
    if found:
        console.say()
        console.rows(_LEAKS, [_leaks(name, several) for name, several in found.items()])
    unheard = [leak.against for leak in manifest.leaks if leak.method == "fingerprint" and not leak.items]
    if unheard:
        console.say(f"  of {plural(len(unheard), 'evaluation set')} no audio was at hand to compare by sound")


def plain_leaks(manifest: Manifest) -> list[dict[str, object]]:
    """All that was compared with, for programs."""
    return [vars(leak) for leak in manifest.leaks]


def plain(every: Iterable[Outcome]) -> list[dict[str, object]]:
    """The same for programs."""
    return [vars(one) | {"dropped": one.dropped} for one in every]


def _row(one: Outcome) -> list[str]:
    why = sorted(one.drops.items(), key=lambda item: (-item[1], item[0]))[:2]
    return [
        one.corpus,
        count(one.kept),
        hours(one.hours),
        count(one.captions),
        count(one.merged) if one.merged else NONE,
        share(one.dropped, one.received),
        ", ".join(f"{reason} {share(number, one.received)}" for reason, number in why),
        licenses(one.licenses),
    ]


def _leaks(name: str, several: Iterable[Leak]) -> list[str]:
    ways = [f"{leak.method}: {reasons(leak.clips, 3)}" for leak in several]
    return [name, count(sum(sum(leak.clips.values()) for leak in several)), "; ".join(ways)]
