"""webdataset: tars in which the files of a clip follow each other under one key."""

from dataclasses import dataclass
from pathlib import Path

from captionstew.interchange.choose import Part, Plan
from captionstew.interchange.clips import json_line
from captionstew.interchange.form import Form
from captionstew.interchange.names import key
from captionstew.interchange.written import Made, archive


@dataclass(frozen=True)
class WebDataset(Form):
    """`<corpus>-<split>-000000.tar`: for each clip `<key>.flac` (or `.opus`), `<key>.json` and `<key>.txt`.

    The text holds one caption a line; JSON has all columns of clip.v1 and the captions once more under `text`, where
    trainers in LAION's manner look for them.
    """

    name = "webdataset"
    audios = ("tar",)

    audio: str = "tar"

    def write(self, part: Part, out: Path) -> list[Made]:
        """One tar."""
        made: list[Made] = []
        with archive(out / f"{part.name}.tar", made) as tar:
            for clip in self.clips(part):
                stem, texts = key(clip.id), [" ".join(text.split()) for text in clip.texts]
                tar.add(f"{stem}{clip.suffix}", clip.audio)
                tar.add(f"{stem}.json", json_line({**clip.facts, "text": texts}))
                tar.add(f"{stem}.txt", "".join(f"{text}\n" for text in texts).encode())
        return made

    def loading(self, plan: Plan) -> str:
        """Every prefix with its braces."""
        braces = [_braces(prefix, shards) for prefix, shards in plan.prefixes().items()]
        every = "\n".join(f"- `{one}`" for one in braces)
        return _LOADING.format(every=every, first=braces[0])


def _braces(prefix: str, shards: int) -> str:
    numbers = f"{{000000..{shards - 1:06d}}}" if shards > 1 else "000000"
    return f"{prefix}-{numbers}.tar"


_LOADING = """{every}

```python
import io, json, soundfile, webdataset

for clip in webdataset.WebDataset("{first}", shardshuffle=False):
    facts, captions = json.loads(clip["json"]), clip["txt"].decode().splitlines()
    samples, rate = soundfile.read(io.BytesIO(clip["flac" if "flac" in clip else "opus"]), dtype="float32")
```

A key is the clip's id, percent-encoded: `urllib.parse.unquote(clip["__key__"])`, or `clip_id` of the JSON. A clip
without captions has an empty text.
"""
