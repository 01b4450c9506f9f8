"""Which rows of a shard, with which of their captions, each tier takes: decided on columns that hold no audio."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from captionstew.digest import digest
from captionstew.publish.contents import Tier
from captionstew.publish.gate import Gate, Place, generated

COLUMNS = ("clip_id", "corpus", "license", "duration", "captions.list.element.source",
           "captions.list.element.model")  # fmt: skip
WITHDRAWN = "withdrawn"
# What a publisher's own words stand in, beside captions; where clips were merged, those of several publishers.
_WORDS: Mapping[str, object] = {"tags": [], "transcript": None}

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Choice:
    """What becomes of the rows of a table, and of their captions, in the order in which they follow each other."""

    places: tuple[Place, ...]  # by row; of withdrawn rows too
    withdrawn: Mask
    bare: Mask  # rows that go without words of a publisher
    captions: tuple[str, ...]  # by caption: why it is dropped, or nothing
    counts: npt.NDArray[np.int64]  # captions by row

    def rows(self, tier: Tier) -> Mask:
        """The rows that a tier takes."""
        here = (not one.refused and tier in {"captions", one.audio} for one in self.places)
        return np.fromiter(here, np.bool_, len(self.places)) & ~self.withdrawn

    @property
    def kept(self) -> Mask:
        """The captions that may be published, wherever their row goes."""
        return np.fromiter((not reason for reason in self.captions), np.bool_, len(self.captions))

    def whole(self, tier: Tier) -> bool:
        """Whether a tier takes every row just as it is."""
        return bool(self.rows(tier).all() and self.kept.all() and not self.bare.any())

    def digest(self, tier: Tier) -> str:
        """A hash of the choice: the same rows with the same choice are the same bytes."""
        hasher = hashlib.sha256()
        for mask in (self.rows(tier), self.kept, self.bare):
            hasher.update(np.packbits(mask).tobytes())
        return digest(hasher.hexdigest(), len(self.places), len(self.captions))


def choose(rows: pa.Table, gate: Gate, removed: Collection[str]) -> Choice:
    """What the gate says of a table with `COLUMNS`."""
    pairs = list(zip(rows["corpus"].to_pylist(), rows["license"].to_pylist(), strict=True))
    known = {pair: gate.place(*pair) for pair in set(pairs)}
    places = tuple(known[pair] for pair in pairs)
    counts = pc.list_value_length(rows["captions"]).to_numpy().astype(np.int64)
    captions = rows["captions"].combine_chunks().flatten()
    owners = np.repeat(np.arange(len(pairs)), counts)
    sources, models = (captions.field(name).to_pylist() for name in ("source", "model"))
    asked = [(*pairs[row], *by) for row, *by in zip(owners.tolist(), sources, models, strict=True)]
    verdicts = {one: gate.caption(*one) for one in set(asked)}
    dropped = [bool(verdicts[one]) and not generated(*one[2:]) for one in asked]
    bare = np.bincount(owners[dropped], minlength=len(pairs)) > 0
    bare |= np.fromiter((not one.texts for one in places), np.bool_, len(places))
    withdrawn = np.fromiter((name in removed for name in rows["clip_id"].to_pylist()), np.bool_, len(pairs))
    return Choice(places, withdrawn, bare, tuple(verdicts[one] for one in asked), counts)


def cut(rows: pa.Table, tier: Tier, choice: Choice, contract: pa.Schema) -> pa.Table:
    """The rows that a tier takes, with the captions that may be published, in the columns of its contract."""
    mask, columns = pa.array(choice.rows(tier)), []
    for column in contract:
        values = rows[column.name].combine_chunks()
        if column.name == "captions":
            values = _captions(values, choice, column.type)
        elif column.name in _WORDS and choice.bare.any():
            nothing = pa.array([_WORDS[column.name]] * len(rows), column.type)
            values = pc.if_else(pa.array(choice.bare), nothing, values).cast(column.type)
        columns.append(values.filter(mask))
    return pa.Table.from_arrays(columns, schema=contract)


def _captions(values: pa.ListArray, choice: Choice, kind: pa.DataType) -> pa.ListArray:
    kept, owners = choice.kept, np.repeat(np.arange(len(values)), choice.counts)
    counts = np.bincount(owners[kept], minlength=len(values))
    offsets = pa.array(np.concatenate(([0], np.cumsum(counts))), pa.int32())
    return pa.ListArray.from_arrays(offsets, values.flatten().filter(pa.array(kept)), type=kind)
