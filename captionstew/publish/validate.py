"""Every promise of a release, checked where it lies: on the Hub too, without downloading all of it."""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import StewError
from captionstew.publish.check_columns import COLUMNS, Columns, gate_of
from captionstew.publish.check_repository import check_card, check_repository, check_totals
from captionstew.publish.hub_files import REMOVED, removals
from captionstew.publish.released import Released
from captionstew.shards.check_rows import audio_fault
from captionstew.shards.check_shard import check_layout, check_schema
from captionstew.shards.findings import Findings, Progress, Report
from captionstew.shards.layout import AUDIO_TIERS, SIDECAR
from captionstew.shards.manifest import Manifest
from captionstew.shards.release import ReleaseFile

CHECKS = ("manifest", "files", "card", "schema", "writer", "ids", "removed", "licenses", "splits", "audio",
          "accounting")  # fmt: skip
SAMPLE = 24  # clips that are decoded unless more are asked for: a megabyte or two of requests each
_AT_ONCE = 8  # shards whose columns are under way
_RECIPE = "recipe/recipe.json"
_AUDIO = ("clip_id", "codec", "num_samples", "sample_rate", "audio_sha256")


def validate_release(release: Released, sample: int = SAMPLE, progress: Progress | None = None) -> Report:
    """Look at a release again: its hashes as the Hub has them, footers and small columns, and `sample` clips decoded.

    No failure stops it. StewError only where there is no release to look at, or it cannot be reached.
    """
    findings = Findings()
    manifest = check_repository(release, findings)
    check_card(release, manifest, findings)
    gate, tiers = gate_of({file.corpus for file in manifest.files}), {file.tier for file in manifest.files}
    once = ("captions",) if "captions" in tiers else tuple(tiers)
    columns = Columns(findings, gate, _removed(release, findings), _apart(release, findings), once)
    there = [file for file in manifest.files if _is_whole(release, file)]
    for file, table in _tables(release, there):
        _check_shard(file, table, columns, findings)
        if progress:
            progress(file.path, file.rows)
    columns.over()
    check_totals(manifest, columns.seconds, columns.files, findings)
    _check_audio(release, manifest, sample, findings)
    return Report(release.where, tuple(map(findings.check, CHECKS)), *_amount(manifest))


def _is_whole(release: Released, file: ReleaseFile) -> bool:
    """Whether it can be read by the manifest's word; if not, that was said."""
    return file.path in release.files and release.files[file.path].size == file.bytes


def _tables(
    release: Released, files: Sequence[ReleaseFile]
) -> Iterator[tuple[ReleaseFile, tuple[Findings, pa.Table | None]]]:
    """What was read of each shard, in order; no more of them wait than are under way."""
    waiting: deque[tuple[ReleaseFile, Future[tuple[Findings, pa.Table | None]]]] = deque()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for file in files:
            waiting.append((file, pool.submit(_read, release, file)))
            if len(waiting) > _AT_ONCE:
                first, table = waiting.popleft()
                yield first, table.result()
        for first, table in waiting:
            yield first, table.result()


def _read(release: Released, file: ReleaseFile) -> tuple[Findings, pa.Table | None]:
    """A shard's footer, checked, and its small columns; None where it cannot be read."""
    found = Findings()
    try:
        # Columns that lie side by side come by one request.
        with pq.ParquetFile(release.shard(file.path), pre_buffer=True) as parquet:
            check_layout(parquet, file.path, found)
            found.details["writer"] = "as the footers tell"
            if not check_schema(parquet, file.path, found):
                return found, None
            table = parquet.read(columns=list(COLUMNS))
        table.validate(full=True)
        return found, table
    except (pa.ArrowException, OSError, StewError) as error:
        found.fail("files", f"{file.path}: cannot be read: {error}")
        return found, None


def _check_shard(
    file: ReleaseFile, read: tuple[Findings, pa.Table | None], columns: Columns, findings: Findings
) -> None:
    found, table = read
    for name, faults in found.failures.items():
        for fault in faults:
            findings.fail(name, fault)
    findings.details |= found.details
    if table is not None:
        columns.shard(file, table)


def _removed(release: Released, findings: Findings) -> frozenset[str]:
    if REMOVED not in release.files:
        return frozenset()  # said where files are missed
    try:
        return frozenset(one.clip_id for one in removals(release.content(REMOVED), release.where))
    except StewError as error:
        findings.fail("removed", str(error))
        return frozenset()


def _apart(release: Released, findings: Findings) -> Mapping[str, Sequence[str]] | None:
    """What the recipe promises to keep apart: the splits that share no recording or speaker with train."""
    if _RECIPE not in release.files:
        findings.fail("splits", f"{_RECIPE}: missing")
        return None
    try:
        stages = json.loads(release.content(_RECIPE)).get("stages", ())
    except ValueError as error:
        findings.fail("splits", f"{_RECIPE}: {error}")
        return None
    stage = next((one for one in stages if one.get("stage") == "Separate"), None)
    findings.details["splits"] = "the recipe keeps nothing apart but the clips themselves"
    return stage and {"recording": stage["recordings"], "speaker": stage["speakers"]}


def _check_audio(release: Released, manifest: Manifest, sample: int, findings: Findings) -> None:
    """Clips in equal steps: found by their addresses, decoded, and compared with the hashes in their rows."""
    files = [file for file in manifest.files if file.tier in AUDIO_TIERS]
    findings.details["audio"] = "no audio in this release"
    if not files:
        return
    if SIDECAR not in release.files:  # else the way to a clip would be a request for each clip before it
        findings.fail("audio", f"{SIDECAR}: missing, so that nobody finds a clip")
        return
    try:
        clips = release.clips()
        chosen = range(0, len(clips), max(1, -(-len(clips) // sample)))
        for index in chosen:
            row: dict[str, Any] = clips.row(index, list(_AUDIO)).to_pylist()[0]
            audio = {"bytes": clips.clip_bytes(index)}
            if fault := audio_fault((row["clip_id"], audio, *(row[name] for name in _AUDIO[1:]))):
                findings.fail("audio", f"{row['clip_id']}: {fault}")
    except StewError as error:
        findings.fail("audio", str(error))
        return
    findings.details["audio"] = f"{len(chosen)} of {len(clips):,} clips decoded"


def _amount(manifest: Manifest) -> tuple[int, float]:
    """Clips and seconds, each clip counted once: the tier `captions` holds those of the others."""
    texts = [file for file in manifest.files if file.tier == "captions"]
    files = texts or [file for file in manifest.files if file.tier in AUDIO_TIERS]
    return sum(file.rows for file in files), sum(file.seconds for file in files)
