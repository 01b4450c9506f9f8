"""Files of Hugging Face repositories, by its own library: its login, its mirrors (HF_ENDPOINT), its resume."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from captionstew.errors import FetchError, IncompleteError, StewError
from captionstew.fetch.address import Hub, masked, unsigned
from captionstew.fetch.patience import PASSING, asked_wait
from captionstew.fetch.progress import Moved, Watch
from captionstew.fetch.promise import Promise, checked
from captionstew.fetch.web import Passing, Stopped, Web, refused

T = TypeVar("T")

_NEEDS = "pip install 'captionstew[fetch]'"


def listed(web: Web, place: Hub, page: str) -> list[tuple[Hub, Promise]]:
    """The files whose paths match, in order, each at the commit that the revision means now."""
    fixed = place.pattern.partition("*")[0]
    folder = fixed.rpartition("/")[0]

    def ask() -> list[tuple[Hub, Promise]]:
        api = _api()
        facts = api.repo_info(place.repository, repo_type=place.kind, revision=place.revision, timeout=30)
        if "*" in place.pattern:
            entries = api.list_repo_tree(place.repository, folder or None, recursive=True, revision=facts.sha,
                                         repo_type=place.kind)  # fmt: skip
        else:
            entries = api.get_paths_info(
                place.repository, [place.pattern], revision=facts.sha, repo_type=place.kind
            )
        found = [one for one in entries if hasattr(one, "size") and _matches(one.path, place.pattern)]
        return [(Hub(place.repository, facts.sha, one.path, place.kind), _promise(one)) for one in
                sorted(found, key=lambda one: str(one.path))]  # fmt: skip

    with _said(place, page):
        found = web.trying(lambda: _passing(ask), place.url)
    if not found:
        hint = f"look at {place.page}, and mend the address in the facts"
        raise FetchError(f"no file matches {place.pattern}", where=place.url, hint=hint)
    return found


def download(web: Web, place: Hub, path: Path, promise: Promise, page: str, watch: Watch) -> str:
    """`path` holds the file, verified; returns its SHA-256. A broken download goes on where it was."""
    from huggingface_hub import hf_hub_download

    logging.getLogger("huggingface_hub.file_download").addFilter(masked)

    def ask() -> str:
        return hf_hub_download(
            place.repository, place.pattern, repo_type=place.kind, revision=place.revision,
            local_dir=path.parent / "hub", endpoint=_endpoint(), tqdm_class=_counting(path.name, web, watch),
        )  # fmt: skip

    with _said(place, page):
        got = Path(web.trying(lambda: _passing(ask), place.url))
    try:
        sha256 = checked(got, promise, place.url)
    except StewError:
        got.unlink()
        raise
    os.replace(got, path)
    watch(Moved(path.name, over=True))
    return sha256


@contextmanager
def opened(place: Hub, page: str) -> Iterator[BinaryIO]:
    """The file as a stream, read by ranges."""
    import httpx2
    from huggingface_hub import HfFileSystem

    with _said(place, page):
        system = HfFileSystem(endpoint=_endpoint(), skip_instance_cache=True)
        path = f"{place.kind}s/{place.repository}@{place.revision}/{place.pattern}"
        try:
            with system.open(path, "rb", block_size=16 << 20) as stream:
                yield stream
        except httpx2.TransportError as error:
            raise _later(place, error) from error


def relative(place: Hub, pattern: str) -> str:
    """The path of a file below the folder in which its pattern begins to vary; FetchError if it climbs."""
    folder = pattern.partition("*")[0].rpartition("/")[0]
    inside = PurePosixPath(place.pattern.removeprefix(f"{folder}/") if folder else place.pattern)
    if inside.is_absolute() or ".." in inside.parts:
        raise FetchError(
            f"{place.pattern} climbs out of its folder", where=place.url, hint="tell its publisher"
        )
    return str(inside)


def _matches(path: str, pattern: str) -> bool:
    """`*` matches within one folder, `**` across them, as in a glob."""
    if "*" not in pattern:
        return path == pattern
    parts = [".*" if one == "**" else "[^/]*" if one == "*" else re.escape(one)
             for one in re.split(r"(\*\*/?|\*)", pattern.replace("**/", "**")) if one]  # fmt: skip
    return re.fullmatch("".join(parts), path) is not None


def _promise(entry: Any) -> Promise:
    lfs = getattr(entry, "lfs", None)
    return Promise(int(entry.size), lfs.sha256 if lfs else None)


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=_endpoint())


def _errors() -> Any:
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise FetchError("hf:// needs huggingface_hub", cause=str(error), hint=_NEEDS) from None
    return errors


def _passing(action: Callable[[], T]) -> T:
    """What the library raises when the network fails becomes Passing."""
    import httpx2

    errors = _errors()
    try:
        return action()
    except errors.LocalEntryNotFoundError as error:  # it could not ask, whatever the reason
        raise Passing(_line(error.__cause__ or error), unreached=True) from error
    except errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in PASSING:
            raise Passing(_line(error), asked=asked_wait(error.response.headers)) from error
        raise
    except httpx2.ConnectError as error:
        raise Passing(_line(error), unreached=True) from error
    except httpx2.TransportError as error:
        raise Passing(_line(error)) from error


@contextmanager
def _said(place: Hub, page: str) -> Iterator[None]:
    """What the Hub refuses, said plainly; the page where one agrees to the terms is in the hint."""
    errors = _errors()
    try:
        yield
    except errors.GatedRepoError as error:
        hint = f"agree to its terms at {page or place.page}, then: hf auth login; the same command continues"
        raise FetchError(f"{place.repository} is for those who have agreed to its terms", cause=_line(error),
                         where=place.url, hint=hint) from error  # fmt: skip
    except errors.OfflineModeIsEnabled as error:
        raise FetchError("the Hub is not asked", cause=_line(error), hint="unset HF_HUB_OFFLINE") from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError) as error:
        hint = f"look at {place.page}; if it is private: hf auth login"
        raise FetchError(
            f"{place.pattern} is not there", cause=_line(error), where=place.url, hint=hint
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in PASSING:
            raise _later(place, error) from error
        raise refused(status, _line(error), place.pattern, place.url, page or place.page) from error


def _later(place: Hub, error: Exception) -> IncompleteError:
    hint = "check the connection; the same command continues"
    return IncompleteError("the Hub keeps failing", cause=_line(error), where=place.url, hint=hint)


def _line(error: BaseException) -> str:
    """The first line of what an error says, without the signatures that addresses carry."""
    text = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return unsigned(text).strip()


def _counting(name: str, web: Web, watch: Watch) -> Any:
    """A progress bar that shows nothing and tells `watch`; it is where a stop is noticed."""
    from huggingface_hub.utils.tqdm import tqdm

    class Counting(tqdm):
        def __init__(self, *_: Any, **options: Any) -> None:
            super().__init__(disable=True)  # type: ignore[no-untyped-call]
            watch(Moved(name, int(options.get("initial") or 0)))

        def update(self, n: float | None = 1) -> bool | None:
            if web.stop.is_set():
                raise Stopped
            watch(Moved(name, int(n or 0)))
            return None

    return Counting
