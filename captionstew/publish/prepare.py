"""From a build and what is published already to the next release and the plan of its upload; nothing is sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from captionstew.errors import StewError
from captionstew.pipeline.progress import Watch, unwatched
from captionstew.publish.assemble import Documents, Repository, assembled, facts, present
from captionstew.publish.contents import DataFile, Release, Removal, Tier
from captionstew.publish.enriched import enriched
from captionstew.publish.gate import Gate
from captionstew.publish.plan import Held, Plan, check_home, planned
from captionstew.publish.ready import ready
from captionstew.publish.removed import joined
from captionstew.publish.stage import FOLDER, Staged, stage
from captionstew.publish.version import Rows, Step, chosen, rows_in, step
from captionstew.shards.columns import read_columns
from captionstew.shards.manifest import Manifest

# What each `--tier` publishes. Audio that is not for commerce is never published unless it is asked for.
ASKED: Mapping[str, tuple[Tier, ...]] = {
    "captions": ("captions",),
    "audio": ("captions", "audio", "audio-sa"),
    "audio-nc": ("captions", "audio", "audio-sa", "audio-nc"),
}


@dataclass(frozen=True)
class Order:
    """What somebody wants to publish: a build as a repository, in which tiers, but for what."""

    build: Path
    repository: str  # ORG/NAME
    recipe: Mapping[str, object]
    tier: str = "audio"
    tag: str = ""  # the next one
    notes: tuple[str, ...] = ()
    removals: tuple[Removal, ...] = ()
    without: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)  # allowed, with the reason


@dataclass(frozen=True)
class Standing:
    """What the repository is now; `manifest`, `changelog` and `removed` are those at `tag`, its newest version."""

    held: Held = field(default_factory=dict)
    tag: str = ""
    manifest: Manifest | None = None
    changelog: str = ""
    removed: tuple[Removal, ...] = ()
    rows: Rows | None = None  # reads the published files of `manifest`
    untagged: tuple[Manifest, str] | None = (
        None  # manifest and changelog of an upload that was stopped before its tag
    )


@dataclass(frozen=True)
class Prepared:
    """The next release, whole, and what its upload would do; `step` is None where it is the one that is published."""

    repository: Repository
    plan: Plan
    step: Step | None
    staged: Staged
    withdrawn: int  # clips that are taken down for the first time
    absent: tuple[str, ...]  # of them, those that the build does not have

    @property
    def release(self) -> Release:
        """What it holds."""
        return self.repository.release


def prepare(order: Order, standing: Standing, documents: Documents, watch: Watch = unwatched) -> Prepared:
    """Check, choose, stage, number and document a release; StewError before any work if it may not be."""
    manifest = ready(order.build)
    gate = _gate(order, manifest)
    removals = joined(standing.removed, order.removals)
    ids = {one.clip_id for one in removals}
    staged = stage(order.build, manifest, gate, ids, watch)
    if not staged.manifest.files:
        told = "; ".join(dict.fromkeys(f"{one.corpus}: {one.reason}" for one in staged.refusals))
        hint = "captionstew corpora says what may be published of each corpus"
        raise StewError(
            "nothing of this build may be published", cause=told or "every clip was taken down", hint=hint
        )
    come = ids - {one.clip_id for one in standing.removed}
    made = _step(standing, staged, ids, len(come))
    tag = chosen(order.tag, standing.tag, made)
    if made is None and (order.tag not in {"", standing.tag} or order.notes):
        made = Step("patch", "documents alone; the data is that of the last version")
        tag = chosen(order.tag, standing.tag, made)
    release = Release(
        repository=order.repository,
        tag=tag,
        tiers=gate.tiers,
        manifest=staged.manifest,
        files=(*staged.files, *_enriched(order.build, staged)),
        corpora=present(staged.manifest, gate.corpora),
        recipe=order.recipe,
        refusals=staged.refusals,
        removals=joined(standing.removed, [_tagged(one, tag) for one in order.removals]),
        previous=standing.manifest,
        previous_tag=standing.tag,
        changelog=_changelog(standing, staged.manifest),
        notes=(*order.notes, *(f"Captions by {name}: {note}" for name, note in sorted(order.models.items()))),
    )
    repository = assembled(release, documents) if made else Repository(release, {})
    check_home(order.repository, standing.held, repository)
    plan = planned(repository, standing.held)
    plan = plan if made else replace(plan, deleted=())  # the documents stay as they are
    return Prepared(repository, plan, made, staged, len(come), _absent(come, order.build, manifest))


def _gate(order: Order, manifest: Manifest) -> Gate:
    gate = Gate(facts(manifest, order.without), ASKED[order.tier], frozenset(order.without), order.models)
    licenses: dict[str, set[str]] = {}
    for total in manifest.totals:
        licenses.setdefault(total.corpus, set()).update(total.licenses)
    gate.check(licenses, [one.model for one in manifest.enrichment if one.passed])
    return gate


def _enriched(build: Path, staged: Staged) -> tuple[DataFile, ...]:
    """The generated captions of the release by themselves."""
    provenance = build / "enrich" / "provenance.parquet"
    return enriched(staged.files, provenance, build / FOLDER / "enriched")


def _step(standing: Standing, staged: Staged, removed: set[str], come: int) -> Step | None:
    """What must be raised; None for the very release that is there."""
    if standing.manifest is None:
        return Step("major", "the first release")
    assert standing.rows
    places = {file.path: file.source for file in staged.files}
    made = step(standing.manifest, staged.manifest, standing.rows, rows_in(places), removed)
    if made is None and come:
        return Step("patch", f"taken down: {come:,}")
    here = {path: one.sha256 for path, one in standing.held.items()}
    if made is None and any(here.get(file.path) != file.sha256 for file in staged.files):
        return Step("patch", "files that somebody else changed are mended")
    return made


def _changelog(standing: Standing, manifest: Manifest) -> str:
    """What was published before; the day under which a stopped upload has named this very release stays."""
    if standing.untagged and standing.untagged[0].encode() == manifest.encode():
        return standing.untagged[1]
    return standing.changelog


def _tagged(one: Removal, tag: str) -> Removal:
    return replace(one, tag=tag)


def _absent(ids: set[str], build: Path, manifest: Manifest) -> tuple[str, ...]:
    """Ids that no row of the build has."""
    left = set(ids)
    for file in manifest.files if left else ():
        left -= set(read_columns(build / file.path, ["clip_id"])["clip_id"].to_pylist())
    return tuple(sorted(left))
