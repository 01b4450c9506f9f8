"""jsonl: a line for each clip, and its audio in a file of its own."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from captionstew.interchange.audio_files import audio_files
from captionstew.interchange.choose import Part, Plan
from captionstew.interchange.clips import json_line
from captionstew.interchange.form import Form
from captionstew.interchange.written import Made, lines


@dataclass(frozen=True)
class Jsonl(Form):
    """`<corpus>-<split>-000000.jsonl`: all columns of clip.v1, and in `audio` the path of the sound or null."""

    name = "jsonl"
    audios = ("files", "none")

    audio: str = "files"

    def write(self, part: Part, out: Path) -> list[Made]:
        """The sounds first: lines that are there tell of files that are there."""
        made: list[Made] = []
        with lines(out / f"{part.name}.jsonl", made) as file, ExitStack() as stack:
            beside = stack.enter_context(audio_files(out, part)) if self.audio == "files" else None
            for clip in self.clips(part):
                file.write(json_line({**clip.facts, "audio": beside.add(clip) if beside else None}))
        return made

    def loading(self, plan: Plan) -> str:
        """By pandas, polars or datasets."""
        return (
            _LOADING if self.audio == "files" else _LOADING + "\nThe audio was left out: `audio` is null.\n"
        )


_LOADING = """```python
import polars

clips = polars.scan_ndjson("*-*.jsonl").select("clip_id", "audio", "captions", "license").collect()
```

A path in `audio` begins at this folder.
"""
