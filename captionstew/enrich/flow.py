"""Asks out and answers in, with a bounded number between: the caller's side of every engine."""

import itertools
import queue
from collections.abc import Callable, Iterable, Iterator
from math import inf

from captionstew.enrich.engine import Answer, Ask

_CHARACTERS = 4  # of English per token
STEP = 16  # asks that are sent at once: waking the other side costs more than an ask does


def flow(
    asks: Iterable[Ask],
    limit: int,
    send: Callable[[list[Ask]], None],
    receive: Callable[[bool], Answer],
    most_tokens: float = inf,
) -> Iterator[Answer]:
    """An answer for each ask, as they come; at most `limit`, which is STEP or more, are out.

    No more are sent while those that are out may have `most_tokens` of prompt and answer, so that long asks queue here
    and not at the servers. `receive(block)` gives the next answer, or raises queue.Empty where there is none and it
    may not wait. A list shorter than STEP, maybe empty, is the last that is sent.
    """
    waiting, more, out, tokens = iter(asks), True, 0, 0
    sizes: dict[str, list[int]] = {}  # of the asks that are out, by key
    while more or out:
        room = more and out + STEP <= limit and (tokens < most_tokens or not out)
        if room:
            some = list(itertools.islice(waiting, STEP))
            for ask in some:
                sizes.setdefault(ask.key, []).append(size(ask))
                tokens += sizes[ask.key][-1]
            send(some)
            out, more = out + len(some), len(some) == STEP
            if not out:
                return
        try:
            answer = receive(not room)
        except queue.Empty:
            continue
        out, tokens = out - 1, tokens - sizes[answer.key].pop()
        if not sizes[answer.key]:
            del sizes[answer.key]
        yield answer


def size(ask: Ask) -> int:
    """Tokens of prompt and answer at most, by a rule of thumb."""
    return sum(len(one.content) for one in ask.messages) // _CHARACTERS + ask.sampling.max_tokens
