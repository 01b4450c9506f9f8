"""Asking the threads of this process to end before their work does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_STOP = threading.Event()


class Stopped(Exception):
    """What a thread ends with that was asked to; nobody waits for its result."""


def go_on() -> None:
    """Called between two steps of a long task; Stopped if it is not to be finished."""
    if _STOP.is_set():
        raise Stopped


@contextmanager
def stopping() -> Iterator[None]:
    """Inside, tasks end at their next step: wait for them there."""
    _STOP.set()
    try:
        yield
    finally:
        _STOP.clear()
