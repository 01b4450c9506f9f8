"""Models of the Hub as local folders."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from captionstew.errors import StewError


def fetched(name: str, patterns: Sequence[str] | None = None, **options: Any) -> Path:
    """A local copy of a repository, of all its files or those of these patterns; StewError if there is none.

    `options` are those of `snapshot_download`: revision, token, cache_dir, local_files_only.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns) if patterns else None, **options))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        hint = "give a folder that captionstew export wrote, or OWNER/NAME of a model on the Hub that you can read"
        raise StewError(f"there is no model {name!r}", cause=str(error).splitlines()[0], hint=hint) from error
