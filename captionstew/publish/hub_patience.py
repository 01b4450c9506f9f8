"""What a Hub that fails or refuses says, in plain words; what passes is tried again, within bounds."""

import importlib
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from captionstew.errors import IncompleteError, StewError
from captionstew.fetch.address import masked
from captionstew.fetch.patience import PASSING, Patience, asked_wait

logger = logging.getLogger(__name__)

T = TypeVar("T")

# huggingface_hub tries most requests five times itself, a second and more apart.
PATIENCE = Patience(tries=4, first_wait=1.0, longest_wait=30.0)
HURRY = Patience(tries=1, read=5.0)  # of a look that may fail
AGAIN = "run the same command again: what was sent stays sent"
LOGIN = "hf auth login, with a token that may write to it; or set HF_TOKEN"
_NEEDS = "pip install 'captionstew[hub]'"


def client(endpoint: str | None) -> Any:
    """The Hub's own client, with its own token; its logs name no signed address. StewError if it is not installed."""
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise StewError("the Hub needs huggingface_hub", cause=str(error), hint=_NEEDS) from None
    for name in ("huggingface_hub.utils._http", "httpx2"):  # both name the address of each request
        logging.getLogger(name).addFilter(masked)
    return HfApi(endpoint=endpoint, library_name="captionstew")


def library(name: str) -> Any:
    """A module of the Hub's own client, which does not tell mypy what it exports."""
    return importlib.import_module(f"huggingface_hub.{name}")


def page(api: Any, repository: str) -> str:
    """The page of a data set."""
    return f"{api.endpoint}/datasets/{repository}"


@contextmanager
def silence() -> Iterator[None]:
    """The Hub's client draws no bars of its own."""
    utils = library("utils")
    before = utils.are_progress_bars_disabled()
    utils.disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            utils.enable_progress_bars()


def patiently(action: Callable[[], T], where: str, patience: Patience = PATIENCE) -> T:
    """What the action gives; it is tried again while the Hub or the network fail, then IncompleteError."""
    import httpx2

    failures = 0
    while True:
        try:
            return action()
        except (OSError, RuntimeError, httpx2.TransportError) as error:
            cause = _cause(error)
            if not _passes(cause):
                raise cause from cause.__cause__
            failures += 1
            wait = max(patience.wait(failures), _asked(cause))
            if failures == patience.tries or _asked(cause) > patience.longest_asked:
                raise IncompleteError(
                    "the Hub keeps failing", cause=line(cause), where=where, hint=AGAIN
                ) from error
            logger.warning("%s: %s; again in %.0f s", where, line(cause), wait)
            time.sleep(wait)


@contextmanager
def said(where: str) -> Iterator[None]:
    """What the Hub refuses becomes a StewError that says what to do."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        hint = f"agree to its terms at {where}, then: hf auth login"
        raise StewError("the repository is gated", cause=line(error), where=where, hint=hint) from error
    except errors.RepositoryNotFoundError as error:
        raise StewError("there is no such repository, or it is hidden from you", cause=line(error), where=where,
                        hint=LOGIN) from error  # fmt: skip
    except errors.RevisionNotFoundError as error:
        hint = f"its branches and tags: {where}/tree/main"
        raise StewError("there is no such revision", cause=line(error), where=where, hint=hint) from error
    except errors.OfflineModeIsEnabled as error:
        raise StewError("the Hub is not asked", cause=line(error), hint="unset HF_HUB_OFFLINE") from error
    except errors.HFValidationError as error:
        hint = "name it ORG/NAME, of letters, digits, -, _ and ."
        raise StewError("that is no name for a repository", cause=line(error), hint=hint) from error
    except ValueError as error:  # also what its client finds wrong by itself, such as a card without sense
        cause = " ".join(str(error).split())[:300]
        hint = "mend what it names"
        raise StewError("the Hub would refuse this", cause=cause, where=where, hint=hint) from error
    except (errors.HfHubHTTPError, PermissionError, ConnectionError) as error:
        hint = LOGIN if status(error) in {0, 401, 403} else "mend what it names; the same command continues"
        raise StewError("the Hub refused", cause=line(error), where=where, hint=hint) from error


def line(error: BaseException) -> str:
    """The first line of what an error says, without the signatures that addresses carry."""
    text = next((one for one in str(error).splitlines() if one.strip()), type(error).__name__)
    return re.sub(r"\?\S+", "", text).strip()


def status(error: BaseException) -> int:
    """The status of the answer that an error is about; 0 where there was none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _cause(error: BaseException) -> BaseException:
    """Uploads by LFS run in threads, which wrap what happened."""
    return error.__cause__ if type(error) is RuntimeError and error.__cause__ else error


def _passes(error: BaseException) -> bool:
    import httpx2
    from huggingface_hub import errors

    if found := status(error):
        return found in PASSING
    if isinstance(error, (ConnectionError, TimeoutError)):
        # The Xet client says "HTTP status client error (401 Unauthorized)".
        return not isinstance(error, errors.OfflineModeIsEnabled) and " (4" not in str(error)
    # The Xet client's own RuntimeError comes after several tries of its own.
    return isinstance(error, httpx2.TransportError) or type(error) is RuntimeError


def _asked(error: BaseException) -> float:
    response = getattr(error, "response", None)
    return (asked_wait(response.headers) or 0.0) if response is not None else 0.0
