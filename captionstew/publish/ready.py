"""Is a build ready to be published? What can be seen without decoding it: files, sizes, schema, account, licences."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.errors import ValidationError
from captionstew.shards.check_manifest import check_accounting, check_manifest
from captionstew.shards.check_rows import is_license
from captionstew.shards.check_shard import check_schema
from captionstew.shards.findings import Findings
from captionstew.shards.manifest import Manifest


def ready(build: Path) -> Manifest:
    """The manifest of a build that keeps its quick promises; ValidationError with the first that it breaks."""
    findings = Findings()
    manifest = check_manifest(build, findings)
    check_accounting(manifest, findings)
    for file in manifest.files if manifest else ():
        path = build / file.path
        if not path.is_file() or path.stat().st_size != file.bytes:
            findings.fail("files", f"{file.path} is missing, or not of the size in the manifest")
            continue
        try:
            with pq.ParquetFile(path) as parquet:
                check_schema(parquet, file.path, findings)
        except (pa.ArrowException, OSError) as error:
            findings.fail("files", f"{file.path} cannot be read: {error}")
    for total in manifest.totals if manifest else ():
        for name in total.licenses:
            if not is_license(name):
                findings.fail("licenses", f"{total.corpus} {total.split}: {name!r} is no license")
    if findings.failures:
        name, faults = next(iter(findings.failures.items()))
        more = sum(findings.counts.values()) - 1
        cause = f"{name}: {faults[0]}" + (f" (and {more:,} more)" if more else "")
        hint = f"captionstew validate {build} says all of it; build it again, and publish then"
        raise ValidationError(
            "this build is not fit to be published", cause=cause, where=str(build), hint=hint
        )
    assert manifest
    return manifest
