"""Facts: every number of card and report, computed from a manifest in this one place."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from captionstew.enrich.items import GENERATED
from captionstew.pipeline.account import CAPTIONS
from captionstew.publish.tally import STAGE
from captionstew.shards.manifest import Account, Enrichment, Manifest
from captionstew.shards.release import Total

MERGED = "merged"  # into a clip that another row described first: not lost, its captions moved
_Sizes = dict[tuple[str, str, str], int]  # bytes by tier, corpus and split


@dataclass(frozen=True)
class Amount:
    """So many clips, with so many captions, of so many hours, in files of so many bytes."""

    clips: int = 0
    captions: int = 0
    hours: float = 0.0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        hours = round(math.fsum((self.hours, other.hours)), 6)
        counts = (self.clips + other.clips, self.captions + other.captions, hours)
        return Amount(*counts, self.files + other.files, self.bytes + other.bytes)

    @property
    def captions_per_clip(self) -> float:
        """0 where there is no clip."""
        return self.captions / self.clips if self.clips else 0.0

    @property
    def seconds_per_clip(self) -> float:
        """0 where there is no clip."""
        return 3600 * self.hours / self.clips if self.clips else 0.0


@dataclass(frozen=True)
class LicenseFacts:
    """The clips of one corpus under one audio licence, each counted once, and the tiers that hold them."""

    license: str
    clips: int
    hours: float
    tiers: tuple[str, ...]


@dataclass(frozen=True)
class CorpusFacts:
    """What a manifest holds of one corpus. A clip that lies in two tiers counts once, but for `tiers`.

    `files` and `bytes` of `whole` and `splits` are those of all tiers.
    """

    name: str
    whole: Amount
    splits: Mapping[str, Amount]
    tiers: Mapping[str, Amount]
    licenses: tuple[LicenseFacts, ...]  # most clips first


@dataclass(frozen=True)
class Facts:
    """What a manifest holds in all."""

    corpora: tuple[CorpusFacts, ...]  # in the recipe's order
    whole: Amount
    tiers: Mapping[str, Amount]
    splits: Mapping[str, Amount]

    def corpus(self, name: str) -> CorpusFacts:
        """One corpus; nothing of it is an empty one."""
        empty = CorpusFacts(name, Amount(), {}, {}, ())
        return next((one for one in self.corpora if one.name == name), empty)


@dataclass(frozen=True)
class Loss:
    """So many rows of a corpus that one stage dropped for one reason."""

    stage: str
    reason: str
    count: int


@dataclass(frozen=True)
class Flow:
    """Where the clips of a corpus went: received = kept + merged + dropped."""

    corpus: str
    received: int
    kept: int
    losses: tuple[Loss, ...]  # in the order of the stages; with those that were merged

    @property
    def merged(self) -> int:
        """Rows that became part of another clip."""
        return sum(loss.count for loss in self.losses if loss.reason == MERGED)

    @property
    def dropped(self) -> int:
        """Rows that are in no file, for whatever reason."""
        return sum(loss.count for loss in self.losses) - self.merged


@dataclass(frozen=True)
class Compared:
    """An evaluation set: how many of its items each method could compare, and the clips found by corpus."""

    against: str
    items: Mapping[str, int]  # by method; 0 means that nothing was at hand
    found: Mapping[str, Mapping[str, int]]  # method -> corpus -> clips; a clip found twice counts twice

    @property
    def clips(self) -> int:
        """Findings of other corpora than its own."""
        return sum(sum(found.values()) for method, found in self.found.items() if method != "split")


@dataclass(frozen=True)
class Change:
    """A corpus in two manifests: what it held and holds, and its files by path and hash."""

    corpus: str
    before: Amount
    after: Amount
    new: int = 0
    changed: int = 0
    same: int = 0
    gone: int = 0

    @property
    def kind(self) -> str:
        """`added`, `removed`, `changed` or `same`."""
        if not self.before.files or not self.after.files:
            return "added" if self.after.files else "removed"
        return "changed" if self.new or self.changed or self.gone else "same"


def facts(manifest: Manifest) -> Facts:
    """Everything that the totals and files of a manifest say."""
    names = dict.fromkeys((*_in_order(manifest), *(total.corpus for total in manifest.totals)))
    held = {total.corpus for total in manifest.totals}
    sizes = _sizes(manifest)
    corpora = tuple(_corpus(name, manifest, sizes) for name in names if name in held)
    tiers = sorted({total.tier for total in manifest.totals})
    splits = _ordered(split for one in corpora for split in one.splits)
    return Facts(
        corpora,
        _sum(one.whole for one in corpora),
        {tier: _sum(one.tiers[tier] for one in corpora if tier in one.tiers) for tier in tiers},
        {split: _sum(one.splits[split] for one in corpora if split in one.splits) for split in splits},
    )


def flows(manifest: Manifest) -> tuple[Flow, ...]:
    """Where the clips of each corpus went; AssertionError if a stage did not receive what the one before kept."""
    accounts: dict[str, list[Account]] = {}
    for account in manifest.accounting:
        if not account.stage.endswith(CAPTIONS):
            accounts.setdefault(account.corpus, []).append(account)
    return tuple(_flow(corpus, made) for corpus, made in accounts.items())


def caption_losses(manifest: Manifest) -> Mapping[str, tuple[Loss, ...]]:
    """Captions that stages dropped from clips that stayed, by the corpus that published them (or `llm`)."""
    losses: dict[str, tuple[Loss, ...]] = {}
    for account in manifest.accounting:
        if account.stage.endswith(CAPTIONS) and account.drops:
            stage = account.stage.removesuffix(CAPTIONS)
            losses[account.corpus] = (*losses.get(account.corpus, ()), *_losses(account, stage))
    return losses


def compared(manifest: Manifest) -> tuple[Compared, ...]:
    """Every evaluation set that the build was compared with, in its order."""
    items: dict[str, dict[str, int]] = {}
    found: dict[str, dict[str, Mapping[str, int]]] = {}
    for leak in manifest.leaks:
        items.setdefault(leak.against, {})[leak.method] = leak.items
        found.setdefault(leak.against, {})[leak.method] = leak.clips
    return tuple(Compared(against, items[against], found[against]) for against in items)


def generated(manifest: Manifest) -> tuple[Enrichment, ...]:
    """What a language model wrote for it, prompt by prompt; nothing where a release left all of it out."""
    told = [account for account in manifest.accounting if account.stage == STAGE + CAPTIONS]
    out = told and not any(account.kept for account in told if account.corpus == GENERATED)
    return () if out else manifest.enrichment


def changes(before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """Every corpus of either manifest: those of `after` first, in its order."""
    old, new = facts(before), facts(after)
    names = dict.fromkeys(one.name for one in (*new.corpora, *old.corpora))
    return tuple(_change(name, before, after, old, new) for name in names)


def _sizes(manifest: Manifest) -> _Sizes:
    sizes: _Sizes = {}
    for file in manifest.files:
        key = file.tier, file.corpus, file.split
        sizes[key] = sizes.get(key, 0) + file.bytes
    return sizes


def _corpus(name: str, manifest: Manifest, sizes: _Sizes) -> CorpusFacts:
    totals = [total for total in manifest.totals if total.corpus == name]
    amounts = {(total.tier, total.split): _amount(total, sizes) for total in totals}
    names = sorted(
        {split for _, split in amounts}, key=lambda split: (split != "train", split != "val", split)
    )
    splits = {split: _once(amounts, split, totals) for split in names}
    tiers = {
        tier: _sum(amount for (of, _), amount in amounts.items() if of == tier)
        for tier in dict.fromkeys(tier for tier, _ in amounts)
    }
    return CorpusFacts(name, _sum(splits.values()), splits, tiers, _licenses(totals))


def _amount(total: Total, sizes: _Sizes) -> Amount:
    size = sizes.get((total.tier, total.corpus, total.split), 0)
    return Amount(total.clips, total.captions, total.hours, total.files, size)


def _once(amounts: Mapping[tuple[str, str], Amount], split: str, totals: Iterable[Total]) -> Amount:
    """A split with each clip counted once: a licence decides a tier, and a tier takes all clips of a licence."""
    here = {tier: amount for (tier, of), amount in amounts.items() if of == split}
    licenses = _licenses([total for total in totals if total.split == split])
    clips, hours = sum(one.clips for one in licenses), round(math.fsum(one.hours for one in licenses), 6)
    audio = sum(amount.captions for tier, amount in here.items() if tier != "captions")
    captions = max(audio, here["captions"].captions if "captions" in here else 0)
    files = _sum(here.values())
    return Amount(clips, captions, hours, files.files, files.bytes)


def _licenses(totals: Iterable[Total]) -> tuple[LicenseFacts, ...]:
    """Clips by licence, each once: per split and licence the most that any tier holds."""
    most: dict[tuple[str, str], tuple[int, float]] = {}
    tiers: dict[str, set[str]] = {}
    for total in totals:
        for license, share in total.licenses.items():
            key = license, total.split
            most[key] = max(most.get(key, (0, 0.0)), (share.clips, share.hours))
            tiers.setdefault(license, set()).add(total.tier)
    made = []
    for license, held in tiers.items():
        shares = [share for (of, _), share in most.items() if of == license]
        hours = round(math.fsum(hours for _, hours in shares), 6)
        made.append(LicenseFacts(license, sum(clips for clips, _ in shares), hours, tuple(sorted(held))))
    return tuple(sorted(made, key=lambda one: (-one.clips, one.license)))


def _flow(corpus: str, accounts: list[Account]) -> Flow:
    for before, account in pairwise(accounts):
        assert before.kept == account.received, f"rows were lost between stages: {before}, {account}"
    for account in accounts:
        lost = sum(account.drops.values())
        assert account.received == account.kept + lost, f"rows were lost: {account}"
    losses = tuple(loss for account in accounts for loss in _losses(account, account.stage))
    return Flow(corpus, accounts[0].received, accounts[-1].kept, losses)


def _losses(account: Account, stage: str) -> tuple[Loss, ...]:
    ordered = sorted(account.drops.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Loss(stage, reason, number) for reason, number in ordered if number)


def _change(name: str, before: Manifest, after: Manifest, old: Facts, new: Facts) -> Change:
    had = {file.path: file.sha256 for file in before.files if file.corpus == name}
    has = {file.path: file.sha256 for file in after.files if file.corpus == name}
    same = sum(had.get(path) == sha256 for path, sha256 in has.items())
    both = len(had.keys() & has.keys())
    counts = (len(has) - both, both - same, same, len(had) - both)
    return Change(name, old.corpus(name).whole, new.corpus(name).whole, *counts)


def _in_order(manifest: Manifest) -> Iterable[str]:
    return (account.corpus for account in manifest.accounting if not account.stage.endswith(CAPTIONS))


def _ordered(splits: Iterable[str]) -> list[str]:
    """Train, val, test."""
    return sorted(set(splits), key=lambda split: (split != "train", split != "val", split))


def _sum(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, Amount())
