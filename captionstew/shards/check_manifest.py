"""Do the files that lie in a build folder match what its manifest says of them?"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from captionstew.digest import file_sha256
from captionstew.errors import StewError
from captionstew.shards.findings import Findings
from captionstew.shards.layout import MANIFEST, SUMS, inside, parse_shard, shard_files
from captionstew.shards.manifest import Manifest, read_manifest, sums
from captionstew.shards.release import ReleaseFile, totals
from captionstew.shards.write import written


def check_manifest(folder: Path, findings: Findings) -> Manifest | None:
    """The manifest is whole, its checksum file and totals agree with it, its paths are those of shards."""
    try:
        manifest = read_manifest(folder)
    except StewError as error:
        findings.fail("manifest", str(error))
        return None
    if (folder / MANIFEST).read_bytes() != manifest.encode():
        findings.fail("manifest", f"{MANIFEST} is not as the build writes it")
    _check_sums(folder, manifest, findings)
    check_numbers(manifest, findings)
    try:
        if totals(folder, manifest.files) != manifest.totals:
            findings.fail("manifest", "the totals are not those of the shards")
    except StewError as error:
        findings.fail("manifest", f"the totals cannot be counted: {error.message}")
    recipe = f"recipe {manifest.recipe} {manifest.recipe_digest}"
    findings.details["manifest"] = f"{len(manifest.files)} files, {recipe}"
    return manifest


def check_files(folder: Path, manifest: Manifest | None, findings: Findings) -> None:
    """No shard is missing, none is extra, and sizes and hashes are those of the manifest."""
    lying = {inside(folder, path) for path in shard_files(folder)}
    claimed = manifest.files if manifest else ()
    if not lying:
        findings.fail("files", "there is no shard in data")
    for path in sorted(lying - {file.path for file in claimed}):
        findings.fail("files", f"{path}: not in the manifest")
    for file in claimed:
        if file.path not in lying:
            findings.fail("files", f"{file.path}: missing")
        else:
            _check_file(folder / file.path, file, findings)
    findings.details["files"] = f"{len(lying)} shards, {sum(file.bytes for file in claimed):,} bytes hashed"


def check_accounting(manifest: Manifest | None, findings: Findings) -> None:
    """Every stage kept or dropped each row that it received."""
    accounts = manifest.accounting if manifest else ()
    for account in accounts:
        dropped = sum(account.drops.values())
        if account.received != account.kept + dropped or min(account.kept, *account.drops.values(), 0) < 0:
            counts = f"received {account.received}, kept {account.kept}, dropped {dropped}"
            findings.fail("accounting", f"{account.corpus}, {account.stage}: {counts}")
    if not accounts:
        findings.fail("accounting", "the manifest has no accounting")
    findings.details["accounting"] = f"{len(accounts)} accounts of corpora and stages"


def _check_file(path: Path, file: ReleaseFile, findings: Findings) -> None:
    if (size := path.stat().st_size) != file.bytes:
        findings.fail("files", f"{file.path}: {size} bytes, {file.bytes} in the manifest")
    elif (got := file_sha256(path)) != file.sha256:
        findings.fail("files", f"{file.path}: sha256 {got[:12]}, {file.sha256[:12]} in the manifest")
    try:
        there = written(path, file.sha256)
    except StewError:  # said where its rows are checked
        return
    for name in ("rows", "captions", "seconds"):
        claim, count = getattr(file, name), getattr(there, name)
        if claim != count:
            findings.fail("files", f"{file.path}: {claim} {name} in the manifest, {count} there")


def _check_sums(folder: Path, manifest: Manifest, findings: Findings) -> None:
    try:
        text = (folder / SUMS).read_text("utf-8")
    except (OSError, ValueError) as error:
        findings.fail("manifest", f"{SUMS}: {error}")
        return
    own = {file.path for file in manifest.files} | {MANIFEST}
    others = {path: sha256 for sha256, path in _lines(text) if path not in own}
    if text != sums(manifest, file_sha256(folder / MANIFEST), others):
        findings.fail("manifest", f"{SUMS} does not agree with {MANIFEST}")
    for path, sha256 in others.items():
        if not _is_relative(path) or not (folder / path).is_file():
            findings.fail("manifest", f"{path}: in {SUMS}, but not here")
        elif file_sha256(folder / path) != sha256:
            findings.fail("manifest", f"{path}: not what {SUMS} says")


def _is_relative(path: str) -> bool:
    """Whether a path from a file of others stays inside its folder."""
    return bool(path) and "\\" not in path and all(part not in {"", ".", ".."} for part in path.split("/"))


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Hash and path of each line."""
    for line in text.splitlines():
        sha256, _, path = line.partition("  ")
        yield sha256, path


def check_numbers(manifest: Manifest, findings: Findings) -> None:
    """Each path says what its row says, and a split's shards are numbered without a gap."""
    numbers: dict[tuple[str, str, str, int], list[int]] = defaultdict(list)
    for file in manifest.files:
        name = parse_shard(file.path)
        if not name or (name.tier, name.corpus, name.split) != (file.tier, file.corpus, file.split):
            findings.fail("manifest", f"{file.path}: not where a shard of {file.corpus} {file.split} lies")
        else:
            numbers[name.tier, name.corpus, name.split, name.count].append(name.number)
    for (tier, corpus, split, count), got in sorted(numbers.items()):
        if sorted(got) != list(range(count)):
            findings.fail("manifest", f"{tier}/{corpus}/{split}: shards {sorted(got)} of {count}")
    counts = Counter((tier, corpus, split) for tier, corpus, split, _ in numbers)
    for key in sorted(key for key, number in counts.items() if number > 1):
        findings.fail("manifest", f"{'/'.join(key)}: shards of two different counts")
