"""Where the rooms are: packed with the code in a wheel, beside it in a checkout."""

from importlib.resources import files
from pathlib import Path


def room(name: str) -> Path:
    """The folder of a room (`schemas`, `pipelines` or `training`)."""
    package = Path(str(files("captionstew")))
    packed = package / "_rooms" / name
    return packed if packed.is_dir() else package.parent / name
