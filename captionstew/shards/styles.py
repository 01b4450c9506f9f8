"""Captions by style, and a draw among them by weights. The index of styles is derived data that can be made again."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.errors import StewError
from captionstew.shards.derived import Made, derived
from captionstew.shards.read import Clips
from captionstew.shards.shuffle import Words

STYLES = "index/styles.arrow"

Integers = npt.NDArray[Any]

_NAMES = b"styles"
_LEAVES = ["captions.list.element.style", "captions.list.element.prompt"]
_UNIT = 2.0**-53


class Styles:
    """Which style each caption of a build has, and how often each style shall come.

    The style of an enriched caption is its prompt's name, such as `flap` or `rewrite_short`, of any other `human`,
    `machine`, `template` or `label`. `weights` are of 0 or more; a style that they do not name weighs 1. StewError
    for one that no caption has. Takes 5 bytes a clip and 1 byte a caption.
    """

    def __init__(self, clips: Clips, weights: Mapping[str, float]) -> None:
        (batch,) = derived(clips, STYLES, b"styles.v1", lambda: _made(clips))
        names: list[str] = json.loads((batch.schema.metadata or {})[_NAMES])
        if unknown := sorted(set(weights) - set(names)):
            hint = f"styles of this build: {', '.join(sorted(names)) or 'none'}"
            raise StewError(f"no caption has the style {unknown[0]!r}", where=str(clips.folder), hint=hint)
        self.weights = np.array([weights.get(name, 1.0) for name in names])
        self._styles: Integers = batch.column(0).to_numpy()
        self._counts = clips.num_captions
        self._ends = np.cumsum(self._counts, dtype=np.uint32)
        assert len(self._styles) == self._counts.sum(dtype=np.int64), f"{STYLES} is not of its clips"

    def reach(self) -> npt.NDArray[np.bool_]:
        """Which clips have a caption that may come: of a style whose weight is above 0."""
        possible = np.cumsum(self.weights[self._styles] > 0, dtype=np.uint32)
        upto = np.concatenate([np.zeros(1, np.uint32), possible])
        reached: npt.NDArray[np.bool_] = upto[self._ends] > upto[self._ends - self._counts]
        return reached

    def draw(self, clips: Integers, chance: Words, turns: Integers) -> Integers:
        """A caption for each of these clips, by number: a style by weight, and of that style the one whose turn it is.

        The weights of the styles that a clip has are its odds, however many captions each of them has. `chance` is
        even words, `turns` count up. Clips that nothing reaches may not be among them.
        """
        rows, numbers, styles = self._captions(clips)
        shape = len(clips), len(self.weights)
        have = np.bincount(rows * shape[1] + styles, minlength=shape[0] * shape[1]).reshape(shape)
        upto = np.cumsum((have > 0) * self.weights, axis=1)
        dice = (chance >> np.uint64(11)).astype(np.float64) * _UNIT * upto[:, -1]
        style = (upto <= dice[:, None]).sum(axis=1)
        mine = np.flatnonzero(styles == style[rows])  # the captions of the drawn style, clip by clip
        many = have[np.arange(shape[0]), style]
        found: Integers = numbers[mine[np.cumsum(many) - many + turns % many]]
        return found

    def _captions(self, clips: Integers) -> tuple[Integers, Integers, Integers]:
        """All captions of some clips, one after the other: the row of its clip, its number and its style."""
        counts = self._counts[clips].astype(np.int64)
        rows = np.repeat(np.arange(len(clips)), counts)
        numbers = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        firsts = self._ends[clips].astype(np.int64) - counts
        return rows, numbers, self._styles[np.repeat(firsts, counts) + numbers]


def _made(clips: Clips) -> Made:
    numbers: dict[str, int] = {}
    parts = [np.empty(0, np.uint16)]
    for group in clips.groups(_LEAVES):
        styles = _styles(group)
        known = [numbers.setdefault(name, len(numbers)) for name in styles.dictionary.to_pylist()]
        parts.append(np.array(known, np.uint16)[styles.indices.to_numpy()])
    names = sorted(numbers)
    place = np.array([names.index(name) for name in numbers], np.uint16)
    schema = pa.schema([("style", pa.uint16())], {_NAMES: json.dumps(names)})
    column = pa.array(place[np.concatenate(parts)])
    return schema, [pa.record_batch([column], schema=schema)]


def _styles(group: pa.Table) -> pa.DictionaryArray:
    """The style of each caption of a row group, clip by clip."""
    captions = group["captions"].combine_chunks().flatten()
    style, prompt = (pc.struct_field(captions, name) for name in ("style", "prompt"))
    return pc.coalesce(pc.replace_substring_regex(prompt, "@.*", ""), style).dictionary_encode()
