"""How far long work is: on a terminal a line that counts, elsewhere one every half minute."""

import sys
import time
from collections.abc import Callable

from captionstew.cli.console import Console

_EVERY, _LIVE = 30.0, 0.2  # s between lines


class Counting:
    """Tells how far it is whenever it is time to; `over` clears the line that counts."""

    def __init__(self, console: Console) -> None:
        self.console, self.live = console, sys.stderr.isatty() and not console.quiet
        self.began = self._told = time.monotonic()

    def __call__(self, words: Callable[[], str]) -> None:
        """Something was done; the words are asked for only when they are shown."""
        now = time.monotonic()
        if now - self._told < (_LIVE if self.live else _EVERY):
            return
        self._told = now
        if self.live:
            print(f"\r  {words()}\x1b[K", end="", file=sys.stderr, flush=True)
        else:
            self.console.tell(f"  {words()}")

    def over(self) -> None:
        """Nothing more is done."""
        if self.live:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
