"""Whole build folders of a few clips, written by the writer of shards, with all that a report reads."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from captionstew.audio.encode import encode
from captionstew.clip import subset
from captionstew.enrich.provenance import PROVENANCE
from captionstew.pipeline.ledger import Entry, Ledger
from captionstew.report.source import Source, source
from captionstew.schema import schema
from captionstew.shards.layout import shard_path
from captionstew.shards.manifest import Account, Enrichment, Leak, Repeat, Tally, write_manifest
from captionstew.shards.write import Written, write_shard

HOSTILE = "<script>alert(1)</script> & </script><img src=x onerror=alert(2)> \"'\u202e\x00 -->"
MODEL = "lmsys/vicuna-7b-v1.5"
PROMPT = "flap@0123456789abcdef"


def row(number: int, corpus: str = "clotho", seconds: float = 1.0, **changes: Any) -> dict[str, Any]:
    """A clip of clip.v1, a tone of its own."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    pcm = (9000 * np.sin(2 * np.pi * (200 + 40 * number) * time)).astype(np.int16)
    clip_id = f"fs:{number}"
    made = {
        "clip_id": clip_id,
        "corpus": corpus,
        "split": "train",
        "subset": subset(clip_id),
        "domain": "sound",
        "audio": {"bytes": encode(pcm, 16_000, "flac"), "path": f"fs-{number}.flac"},
        "codec": "flac",
        "sample_rate": 16_000,
        "num_samples": len(pcm),
        "duration": len(pcm) / 16_000,
        "captions": [caption(f"A dog barks {number} times", corpus)],
        "events": [{"label": "Dog", "score": 0.91}, {"label": "Rain", "score": 0.22}],
        "tags": ["dog"],
        "license": "CC-BY-4.0",
        "attribution": f"uploader {number}",
        "source_url": f"https://example.org/{number}",
        "source_id": clip_id,
        "source_sample_rate": 44_100,
        "source_channels": 1,
        "source_container": "wav",
        "loudness": -20.0,
        "peak": -11.0,
        "silence": 0.0,
        "clipping": 0.0,
        "dc_offset": 0.0,
        "bandwidth": 800.0,
        "audio_sha256": sha256(pcm.astype("<i2").tobytes()).hexdigest(),
        "fingerprint": b"\1\2\3\4",
    }
    return made | changes


def caption(text: str, origin: str, style: str = "human", model: str | None = None) -> dict[str, Any]:
    """One caption."""
    prompt = PROMPT if origin == "llm" else None
    return {
        "text": text,
        "source": origin,
        "style": style,
        "model": model,
        "prompt": prompt,
        "language": "en",
    }


def release(
    folder: Path, rows: Sequence[dict[str, Any]], tiers: Sequence[str] = ("audio",), **more: Any
) -> Source:
    """A folder with shards of these rows, one for each corpus, split and tier, and a manifest."""
    shards: list[Written] = []
    for tier in tiers:
        contract = schema("clip.v1" if tier == "audio" else "caption.v1").arrow()
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for one in sorted(rows, key=lambda one: one["clip_id"]):
            groups.setdefault((one["corpus"], one["split"]), []).append(
                {name: one.get(name) for name in contract.names}
            )
        for (corpus, split), several in groups.items():
            path = folder / shard_path(tier, corpus, split, 0, 1)
            shards.append(write_shard(path, [pa.Table.from_pylist(several, contract)], contract_key(tier)))
    corpora = list(dict.fromkeys(one["corpus"] for one in rows))
    accounts = [Account(name, "read", kept(rows, name), kept(rows, name)) for name in corpora]
    facts = {"recipe": "tiny", "recipe_digest": "0" * 16, "accounting": accounts} | more
    write_manifest(folder, shards, **facts)
    return source(folder)


def contract_key(tier: str) -> str:
    """The contract of a tier."""
    return "clip.v1" if tier == "audio" else "caption.v1"


def kept(rows: Sequence[dict[str, Any]], corpus: str) -> int:
    """Clips of a corpus."""
    return sum(one["corpus"] == corpus for one in rows)


def enriched(folder: Path) -> Source:
    """A build of two corpora with generated captions, drops, leaks, repeats and a ledger."""
    rows = [row(number) for number in range(6)] + [
        row(number, "audiocaps", 0.5, license="LicenseRef-YouTube") for number in range(10, 14)
    ]
    for one in rows[:4]:
        one["captions"].append(
            caption(f"A small dog barks loudly {one['clip_id'][3:]} times", "llm", "machine", MODEL)
        )
    rows[4]["captions"].append(caption(HOSTILE, "clotho"))
    rows[5] |= {"attribution": HOSTILE, "source_url": "javascript:alert(3)"}
    told = [
        asked("fs:0", "kept", "A small dog barks loudly 0 times"),
        asked("fs:1", "kept", "A small dog barks loudly 1 times"),
        asked("fs:2", "kept", "A small dog barks loudly 2 times"),
        asked("fs:3", "kept", "A small dog barks loudly 3 times"),
        asked("fs:4", "invented-sound", f"A dog barks and thunder rolls {HOSTILE}", "thunder"),
        asked("fs:5", "refusal", "I am sorry", "sorry"),
    ]
    (folder / "enrich").mkdir(parents=True)
    pl.DataFrame(told, schema=PROVENANCE, orient="row").write_parquet(
        folder / "enrich" / "provenance.parquet"
    )
    gone = pl.DataFrame(
        {
            "clip_id": [f"fs:{n}" for n in range(100, 145)],
            "reason": ["missing"] * 40 + ["short"] * 5,
            "detail": [HOSTILE] * 45,
        }
    )
    (folder / "drops" / "locate").mkdir(parents=True)
    gone.write_parquet(folder / "drops" / "locate" / "clotho.parquet")
    made = Enrichment(
        PROMPT,
        "short",
        MODEL,
        "",
        6,
        6,
        4,
        0,
        1,
        {"invented-sound": 1, "refusal": 2},
        600,
        60,
        6.0,
        12,
        4,
        0.5,
        0.8,
        0.1,
        0.5,
        0.9,
        ("opener: A small dog (4 texts)",),
    )
    tally = Tally(
        (
            Leak("clotho", "split", 3, {}),
            Leak("clotho", "key", 3, {"audiocaps": 2}),
            Leak("esc50", "fingerprint", 0, {}),
        ),
        (Repeat("clotho", "human", 6, 5, 2, 2),),
        (made,),
    )
    accounts = [
        Account("clotho", "read", 51, 51),
        Account("audiocaps", "read", 6, 6),
        Account("audiocaps", "decontaminate", 6, 4, {"contaminated": 2}),
        Account("clotho", "locate", 51, 6, {"missing": 40, "short": 5}),
        Account("llm", "guard.captions", 6, 4, {"invented-sound": 1, "refusal": 1}),
    ]
    release(folder, rows, accounting=accounts, tally=tally)
    ledger = Ledger(folder)
    ledger.add(Entry("read", "all", "f", 57, 57, {}, {}, 1.5))
    ledger.add(Entry("probe..encode", "one", "f", 6, 6, {}, {}, 3.0))
    ledger.add(Entry("probe..encode", "two", "f", 4, 4, {}, {}, 2.0))
    ledger.add(Entry("probe..encode", "all", "f", 10, 10, {}, {}, 0.25))
    command = (
        "build",
        "/home/me/tiny.py",
        "--audio",
        "clotho=/home/me/clotho",
        "--enrich",
        "http://10.0.0.1:8000",
        "--limit",
        "9",
    )
    return source(folder, {"recipe": "tiny"}, command)


def asked(clip_id: str, verdict: str, text: str, detail: str = "") -> tuple[Any, ...]:
    """A row of the provenance."""
    known = {
        "key": clip_id,
        "clip_id": clip_id,
        "text": text,
        "style": "short",
        "model": MODEL,
        "revision": "",
        "prompt": PROMPT,
        "prompt_version": 1,
        "sampling": json.dumps({}),
        "seed": 1,
        "attempt": 0,
        "rejected": ["refusal"] if clip_id == "fs:1" else [],
        "parents": [],
        "certain": ["Dog"],
        "possible": [],
        "tags": ["dog"],
        "detector": "",
        "finish": "stop",
        "error": None,
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "verdict": verdict,
        "detail": detail,
        "made_with": "captionstew",
    }
    return tuple(known.get(name) for name in PROVENANCE)
