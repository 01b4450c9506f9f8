"""Packages that are not installed: which extra of ours brings them."""

import re
from importlib.metadata import PackageNotFoundError, requires

from captionstew.errors import StewError

_EXTRAS = ("build", "report", "train", "hub", "enrich", "m4a", "youtube")  # the first that has it is named
_OTHERWISE = {"yaml": "pyyaml", "pil": "pillow"}  # modules that are not called as their package is
_LINE = re.compile(r"([A-Za-z0-9._-]+)(?:\[([a-z0-9,]+)\])?.*;.*extra == ['\"]([a-z0-9]+)['\"]")


def lacking(error: ModuleNotFoundError) -> StewError | None:
    """What to tell about a module that an extra of ours would bring; None about any other: that is a bug."""
    module = (error.name or "").partition(".")[0]
    package = _OTHERWISE.get(module.lower(), module.lower().replace("_", "-"))
    extra = next((extra for extra in _EXTRAS if package in _packages(extra)), None)
    if extra is None:
        return None
    return StewError(f"this needs {package}, which is not installed", hint=bringing(extra))


def bringing(extra: str) -> str:
    """What to type to have the packages of an extra."""
    return f"pip install 'captionstew[{extra}]'   (in a checkout: make extra EXTRA={extra})"


def _packages(extra: str) -> set[str]:
    """What an extra asks for, also by way of other extras."""
    found: set[str] = set()
    for line in _lines():
        match = _LINE.match(line)
        if match and match[3] == extra:
            for other in (match[2] or "").split(","):
                found |= _packages(other) if other and match[1] == "captionstew" else set()
            found.add(match[1].lower().replace("_", "-"))
    return found


def _lines() -> list[str]:
    try:
        return requires("captionstew") or []
    except PackageNotFoundError:  # run from a folder of sources: nothing says what its extras are
        return []
