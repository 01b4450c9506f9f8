"""What the layout of a shard costs its viewers, its uploaders and its readers.

    python benchmarks/shard_layout.py [--clips 1200] [--out FOLDER]

Makes clips of random bytes with log-normal sizes around 240 kB (15 seconds of 16 kHz FLAC), writes them once
per layout with the settings of `captionstew.shards.write` changed in one place, and prints Markdown tables.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from captionstew.schema import schema
from captionstew.shards.layout import shard_path
from captionstew.shards.pages import value_spans
from captionstew.shards.read import Clips
from captionstew.shards.sidecar import write_sidecar
from captionstew.shards.write import AUDIO_LEAF, parquet_settings

CONTRACT = schema("clip.v1").arrow()
WORDS = [f"{a}{b}{c}" for a in "bcdfglmnprstvw" for b in "aeiou" for c in ("", "rd", "ll", "sic")]
KB, MB = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Layout:
    """One way to write a shard."""

    name: str
    rows: int = 100
    chunking: tuple[int, int] | None = (256 * KB, 4 * MB)
    index: bool = True
    settings: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path, clips: Iterable[int], wording: int = 0) -> Path:
        """A file of those clips, their captions in wording number `wording`."""
        low, high = self.chunking or (0, 0)
        chunking = {"min_chunk_size": low, "max_chunk_size": high, "norm_level": 0} if high else False
        changed = {"use_content_defined_chunking": chunking, "write_page_index": self.index} | self.settings
        path.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(path, CONTRACT, **(parquet_settings(CONTRACT) | changed)) as writer:
            for rows in _pieces(list(clips), self.rows):
                writer.write_table(pa.Table.from_pylist([_row(n, wording) for n in rows], CONTRACT))
        return path


LAYOUTS = (
    Layout("**as chosen**: 100 rows, 256 kB-4 MB, index"),
    Layout("64 rows", rows=64),
    Layout("32 rows", rows=32),
    Layout("no page index", index=False),
    Layout("chunks 256 kB-1 MB (pyarrow's default)", chunking=(256 * KB, MB)),
    Layout("chunks 1-8 MB", chunking=(MB, 8 * MB)),
    Layout("no chunking", chunking=None),
    Layout("32 rows, no chunking, no index", rows=32, chunking=None, index=False),
    Layout(
        "all snappy, no chunking, no index", chunking=None, index=False, settings={"compression": "snappy"}
    ),
)


def main() -> None:
    """Measure every layout and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clips", type=int, default=1200, help="how many (default: 1200, 290 MB)")
    parser.add_argument("--out", type=Path, help="folder for the files (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        _layouts(Path(folder), options.clips)
        _sizes(Path(folder), options.clips)


def _layouts(folder: Path, count: int) -> None:
    print(
        "| layout | viewer, one row | drop 1 % | re-caption | by sidecar | by row group | epoch | besides |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    audio = sum(len(_sound(n)) for n in range(count))
    for layout in LAYOUTS:
        path = layout.write(folder / shard_path("audio", "bench", "train", 0, 1), range(count))
        cells = [layout.name, f"{_viewer_bytes(path, layout) / MB:.1f} MB"]
        known = _chunks(path)
        dropped = layout.write(folder / "dropped.parquet", _without_one_percent(count))
        cells.append(f"{_new_share([dropped], known):.1%}")
        cells.append(f"{_new_share([layout.write(folder / 'again.parquet', range(count), 1)], known):.1%}")
        cells.append("-" if layout.settings else f"{_cpu_us(_by_sidecar(folder), count, 2000):.1f} us")
        cells.append(f"{_cpu_us(_by_row_group(path, layout.rows), count, 20):,.0f} us")
        cells.append(f"{_epoch_rate(path):,.0f} MB/s")
        cells.append(f"{(path.stat().st_size - audio) / count:,.0f} B")
        print("| " + " | ".join(cells) + " |", flush=True)
    print()


def _sizes(folder: Path, count: int) -> None:
    """The same clips in few or in many shards, cut anew after a drop or kept where they were."""
    print("| shards | drop 1 %, clips keep their shard | drop 1 %, shards cut anew | footers |")
    print("| --- | --- | --- | --- |")
    for shards in (2, 4):
        per_shard = -(-count // shards)
        parts, left = _pieces(list(range(count)), per_shard), set(_without_one_percent(count))
        before = _write_all(folder / "before", parts)
        kept = _write_all(folder / "kept", [[n for n in part if n in left] for part in parts])
        anew = _write_all(folder / "anew", _pieces(sorted(left), per_shard))
        known = set().union(*(_chunks(path) for path in before))
        footer = sum(pq.read_metadata(path).serialized_size for path in before) / KB
        size = sum(path.stat().st_size for path in before) / shards / MB
        cells = [
            f"{shards} of {size:.0f} MB",
            f"{_new_share(kept, known):.1%}",
            f"{_new_share(anew, known):.1%}",
        ]
        print("| " + " | ".join([*cells, f"{footer:.0f} kB"]) + " |", flush=True)


def _write_all(folder: Path, parts: list[list[int]]) -> list[Path]:
    return [LAYOUTS[0].write(folder / f"{number}.parquet", part) for number, part in enumerate(parts)]


def _sound(number: int) -> bytes:
    draw = np.random.default_rng(number)
    return draw.bytes(int(draw.lognormal(np.log(220_000), 0.45)))


def _row(number: int, wording: int) -> dict[str, Any]:
    draw = random.Random(number * 10 + wording)
    texts = [" ".join(draw.choices(WORDS, k=12)) for _ in range(2)]
    seconds = float(draw.randrange(2, 30))
    return {
        "clip_id": f"yt:{number:011d}@30", "corpus": "bench", "split": "train", "domain": "sound",
        "audio": {"bytes": _sound(number), "path": f"yt-{number}.flac"}, "codec": "flac",
        "sample_rate": 16_000, "num_samples": int(seconds * 16_000), "duration": seconds, "events": [],
        "tags": texts[0].split()[:2],
        "captions": [{"text": t, "source": "bench", "style": "human", "language": "en"} for t in texts],
        "license": draw.choice(["CC0-1.0", "CC-BY-4.0"]), "source_id": f"yt:{number:011d}", "start": 30.0,
        "end": 30.0 + seconds, "source_sample_rate": 44_100, "source_channels": 2, "source_container": "wav",
        "loudness": draw.gauss(-20, 3), "peak": draw.gauss(-3, 1), "silence": draw.random(), "clipping": 0.0,
        "dc_offset": draw.gauss(0, 1e-4), "bandwidth": draw.gauss(7000, 500),
        "audio_sha256": draw.randbytes(32).hex(), "fingerprint": draw.randbytes(4 * int(seconds / 0.064)),
    }  # fmt: skip


def _pieces(values: list[int], size: int) -> list[list[int]]:
    return [values[start : start + size] for start in range(0, len(values), size)]


def _without_one_percent(count: int) -> list[int]:
    gone = set(random.Random(0).sample(range(count), max(1, count // 100)))
    return [n for n in range(count) if n not in gone]


def _viewer_bytes(path: Path, layout: Layout) -> float:
    """Mean bytes of audio read for one row: its page where an index tells of several, else its row group."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    whole = statistics.fmean(g.column(4).total_compressed_size for g in groups for _ in range(g.num_rows))
    if not layout.index or not layout.chunking:
        return whole
    spans = value_spans(path, AUDIO_LEAF)
    # Inside a page a value begins four bytes after the one before.
    new_page = np.flatnonzero(spans[1:, 0] != spans[:-1].sum(axis=1) + 4) + 1
    pages = np.split(spans[:, 1], new_page)
    return float(sum(page.sum() * len(page) for page in pages) / len(spans))


def _chunks(path: Path) -> set[bytes]:
    return {chunk for chunk, _ in _content_chunks(path)}


def _new_share(paths: list[Path], known: set[bytes]) -> float:
    """Share of the bytes of files that lies in chunks which were not there before."""
    chunks = [chunk for path in paths for chunk in _content_chunks(path)]
    return sum(size for chunk, size in chunks if chunk not in known) / sum(size for _, size in chunks)


def _content_chunks(path: Path) -> Iterator[tuple[bytes, int]]:
    """Hash and size of chunks of 8 to 128 kB, 64 kB on average: a stand-in for the Hub's chunker."""
    data = np.fromfile(path, np.uint8)
    start = 0
    for cut in [*_gear_cuts(data), len(data)]:
        while cut - start > 128 * KB:
            yield blake2b(data[start : start + 128 * KB].data, digest_size=16).digest(), 128 * KB
            start += 128 * KB
        if cut - start >= 8 * KB or cut == len(data):
            yield blake2b(data[start:cut].data, digest_size=16).digest(), cut - start
            start = cut


def _gear_cuts(data: npt.NDArray[np.uint8]) -> list[int]:
    """Where the gear hash of 32 bytes has 16 zero bits on top; by doubling it takes five vector steps."""
    gear = np.random.default_rng(0).integers(0, 1 << 32, 256, np.uint32)
    cuts: list[int] = []
    block, overlap = 4 * MB, 32
    for start in range(0, len(data), block):
        first = max(0, start - overlap)
        value = gear[data[first : start + block]]
        for shift in (1, 2, 4, 8, 16):
            value[shift:] = value[shift:] + (value[:-shift] << np.uint32(shift))
        hits = np.flatnonzero(value < (1 << 16)) + first
        cuts += [int(hit) + 1 for hit in hits[hits >= start]]
    return cuts


def _by_sidecar(folder: Path) -> Callable[[int], bytes]:
    write_sidecar(folder)
    return Clips(folder).clip_bytes


def _by_row_group(path: Path, rows: int) -> Callable[[int], Any]:
    file = pq.ParquetFile(path)
    return lambda n: file.read_row_group(n // rows, columns=["audio"])["audio"][n % rows].as_py()["bytes"]


def _cpu_us(read: Callable[[int], Any], count: int, reads: int) -> float:
    """Median over five rounds of the processor time for one random clip, page cache warm."""
    draw, rounds = random.Random(1), []
    for _ in range(6):
        wanted = [draw.randrange(count) for _ in range(reads)]
        began = time.process_time()
        for number in wanted:
            read(number)
        rounds.append((time.process_time() - began) / reads * 1e6)
    return statistics.median(rounds[1:])


def _epoch_rate(path: Path) -> float:
    """MB of audio per second of processor time, all row groups read in order; median of five rounds."""
    file, rates = pq.ParquetFile(path), []
    for _ in range(5):
        began = time.process_time()
        size = sum(file.read_row_group(i, columns=["audio"]).nbytes for i in range(file.num_row_groups))
        rates.append(size / MB / (time.process_time() - began))
    return float(statistics.median(rates))


if __name__ == "__main__":
    main()
