"""Does a release hold what its manifest, its checksums and its card say, as far as sizes, hashes and text tell?"""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from captionstew.errors import StewError
from captionstew.publish.released import Released, sha256_of
from captionstew.shards.check_manifest import check_accounting, check_numbers
from captionstew.shards.findings import Findings
from captionstew.shards.layout import MANIFEST, SUMS, parse_shard
from captionstew.shards.manifest import Manifest

_CARD = "README.md"
_PAGES = (
    _CARD,
    "LICENSES.md",
    "DATASHEET.md",
    "CHANGELOG.md",
    "croissant.json",
    "removed.parquet",
    MANIFEST,
    SUMS,
)


def check_repository(release: Released, findings: Findings) -> Manifest:
    """The manifest is as we write it, every file is there by size and hash, and the checksums cover all of them."""
    manifest = release.manifest
    if release.content(MANIFEST) != manifest.encode():
        findings.fail("manifest", f"{MANIFEST} is not as a release is written")
    check_numbers(manifest, findings)
    check_accounting(manifest, findings)
    _check_files(release, manifest, findings)
    size = sum(file.size for file in release.files.values())
    findings.details["files"] = f"{len(release.files)} files, {size:,} bytes by their hashes"
    findings.details["manifest"] = (
        f"{len(manifest.files)} shards, recipe {manifest.recipe} {manifest.recipe_digest}"
    )
    _check_sums(release, findings)
    return manifest


def check_card(release: Released, manifest: Manifest, findings: Findings) -> None:
    """The card's header is YAML, its configs find every shard and only what is there, and their counts are true."""
    try:
        head = _header(release)
    except (StewError, ValueError) as error:
        findings.fail("card", f"{_CARD}: {error}")
        return
    patterns = [(config["config_name"], one["split"], one["path"]) for config in head.get("configs", ())
                for one in config["data_files"]]  # fmt: skip
    shards = {path for path in release.files if path.startswith("data/") and path.endswith(".parquet")}
    for name, split, pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in release.files):
            findings.fail("card", f"config {name}, {split}: {pattern} finds no file")
    for path in sorted(shards):
        if not any(fnmatchcase(path, pattern) for _, _, pattern in patterns):
            findings.fail("card", f"{path}: in no config")
    _check_counts(head, patterns, manifest, findings)
    findings.details["card"] = f"{len(head.get('configs', ()))} configs, {len(patterns)} patterns"
    try:
        json.loads(release.content("croissant.json"))
    except (StewError, OSError, ValueError) as error:
        findings.fail("card", f"croissant.json: {error}")


def check_totals(
    manifest: Manifest,
    rows: Mapping[tuple[str, str, str], Mapping[str, list[tuple[int, float]]]],
    read: Collection[str],
    findings: Findings,
) -> None:
    """Clips and hours by license are those of the rows: clips and seconds by tier, corpus and split, and license.

    Of splits whose shards were not all `read` nothing is said.
    """
    partly = {(one.tier, one.corpus, one.split) for one in manifest.files if one.path not in read}
    told = {(one.tier, one.corpus, one.split): one for one in manifest.totals}
    for key in sorted((set(told) | set(rows)) - partly):
        found = {
            name: (sum(clips for clips, _ in parts), math.fsum(seconds for _, seconds in parts) / 3600)
            for name, parts in rows.get(key, {}).items()
        }
        claim = (
            {name: (share.clips, share.hours) for name, share in told[key].licenses.items()}
            if key in told
            else {}
        )
        for name in sorted(set(found) | set(claim)):
            (clips, hours), (claimed, claimed_hours) = found.get(name, (0, 0.0)), claim.get(name, (0, 0.0))
            if clips != claimed or abs(hours - claimed_hours) > 1e-6:
                fault = f"{clips} clips of {hours:.6f} h, {claimed} of {claimed_hours:.6f} h in the manifest"
                findings.fail("manifest", f"{'/'.join(key)}, {name}: {fault}")


def _check_files(release: Released, manifest: Manifest, findings: Findings) -> None:
    for path in _PAGES:
        if path not in release.files:
            findings.fail("files", f"{path}: missing")
    for file in manifest.files:
        there = release.files.get(file.path)
        if there is None:
            findings.fail("files", f"{file.path}: missing")
        elif there.size != file.bytes:
            findings.fail("files", f"{file.path}: {there.size} bytes, {file.bytes} in the manifest")
        elif (got := sha256_of(release, file.path)) != file.sha256:
            findings.fail("files", f"{file.path}: sha256 {got[:12]}, {file.sha256[:12]} in the manifest")
    claimed = {file.path for file in manifest.files}
    for path in sorted(path for path in release.files if parse_shard(path) and path not in claimed):
        findings.fail("files", f"{path}: not in the manifest")


def _check_sums(release: Released, findings: Findings) -> None:
    """Each file but the checksums themselves has a line, and is what it says."""
    try:
        lines = dict(_lines(release.content(SUMS).decode()))
    except (StewError, OSError, ValueError) as error:
        findings.fail("manifest", f"{SUMS}: {error}")
        return
    for path in sorted(set(release.files) - set(lines) - {SUMS}):
        findings.fail("manifest", f"{path}: not in {SUMS}")
    for path in sorted(set(lines) - set(release.files)):
        findings.fail("manifest", f"{path}: in {SUMS}, but not there")
    for path in sorted(set(lines) & set(release.files)):
        if sha256_of(release, path) != lines[path]:
            findings.fail("manifest", f"{path}: not what {SUMS} says")


def _check_counts(
    head: Mapping[str, Any], patterns: Iterable[tuple[str, str, str]], manifest: Manifest, findings: Findings
) -> None:
    """Rows by config and split are those of the files that its pattern finds."""
    told = {(info["config_name"], split["name"]): split["num_examples"]
            for info in head.get("dataset_info", ()) for split in info.get("splits", ())}  # fmt: skip
    for name, split, pattern in patterns:
        files = [file for file in manifest.files if fnmatchcase(file.path, pattern)]
        rows = sum(file.rows for file in files)
        if files and told.get((name, split), rows) != rows:
            findings.fail("card", f"config {name}, {split}: {told[name, split]} rows, {rows} in the manifest")


def _header(release: Released) -> Mapping[str, Any]:
    import yaml  # type: ignore[import-untyped]

    text = release.content(_CARD).decode()
    if not text.startswith("---\n") or "\n---\n" not in text:
        raise ValueError("it has no header")
    try:
        head = yaml.safe_load(text[4 : text.index("\n---\n")])
    except yaml.YAMLError as error:
        raise ValueError(f"its header is no YAML: {error}") from error
    if not isinstance(head, Mapping):
        raise ValueError("its header is no mapping")
    return head


def _lines(text: str) -> Iterable[tuple[str, str]]:
    """Path and hash."""
    for line in text.splitlines():
        sha256, _, path = line.partition("  ")
        yield path, sha256
