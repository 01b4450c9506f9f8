"""lhotse: cuts with one supervision each, as Lhotse Shar or beside plain audio files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from captionstew.interchange.audio_files import audio_files
from captionstew.interchange.choose import Part, Plan
from captionstew.interchange.clips import Clip, json_line
from captionstew.interchange.form import Form
from captionstew.interchange.written import Made, archive, gzipped

# Of a supervision: what is heard. Of the cut: everything else. Lhotse's own fields keep their names to themselves.
_HEARD = ("captions", "events", "tags")
_OWN = {"speaker", "transcript", "sample_rate", "num_samples", "duration", *_HEARD}
_RENAMED = {"start": "source_start", "end": "source_end"}


@dataclass(frozen=True)
class Lhotse(Form):
    """Shar: `<corpus>-<split>/cuts.000000.jsonl.gz` and `recording.000000.tar`; Shar reads every file that lies there.

    With files: `<corpus>-<split>-000000.jsonl.gz`, whose recordings are files by paths from the folder of the export
    on. Captions are in `supervision.custom["caption"]`, a list, as the authors of CaptionStew (arXiv 2511.16757) have
    them, and with who wrote them in `supervision.custom["captions"]`; the supervision's text is the transcript.
    """

    name = "lhotse"
    audios = ("tar", "files")

    audio: str = "tar"

    def write(self, part: Part, out: Path) -> list[Made]:
        """Cuts, and the sounds beside them."""
        return self._shar(part, out) if self.audio == "tar" else self._with_files(part, out)

    def loading(self, plan: Plan) -> str:
        """From the folders of Shar, or from manifests."""
        prefixes = list(plan.prefixes())
        if self.audio == "tar":
            return _SHAR.format(every="\n".join(f"- `{one}`" for one in prefixes), first=prefixes[0])
        return _FILES.format(first=prefixes[0])

    def _shar(self, part: Part, out: Path) -> list[Made]:
        prefix, _, number = part.name.rpartition("-")
        cuts, recordings = f"cuts.{number}.jsonl.gz", f"recording.{number}.tar"
        made: list[Made] = []
        with gzipped(out / prefix / cuts, made) as file, archive(out / prefix / recordings, made) as tar:
            for clip in self.clips(part):
                told = cut(clip, {"type": "shar", "channels": [0], "source": ""})
                file.write(json_line(told))
                tar.add(f"{clip.id}{clip.suffix}", clip.audio)
                tar.add(f"{clip.id}.json", json_line(told["recording"]))
        return made

    def _with_files(self, part: Part, out: Path) -> list[Made]:
        made: list[Made] = []
        with gzipped(out / f"{part.name}.jsonl.gz", made) as file, audio_files(out, part) as beside:
            for clip in self.clips(part):
                source = {"type": "file", "channels": [0], "source": beside.add(clip)}
                file.write(json_line(cut(clip, source)))
        return made


def cut(clip: Clip, source: Mapping[str, Any]) -> dict[str, Any]:
    """The clip as a MonoCut whose recording has this source."""
    facts, rate = clip.facts, clip.facts["sample_rate"]
    length = {"duration": facts["num_samples"] / rate}
    custom = {_RENAMED.get(name, name): value for name, value in facts.items() if name not in _OWN}
    supervision = {
        "id": clip.id, "recording_id": clip.id, "start": 0.0, **length, "channel": 0,
        "text": facts["transcript"], "speaker": facts["speaker"],
        "custom": {"caption": clip.texts, **{name: facts[name] for name in _HEARD}},
    }  # fmt: skip
    recording = {
        "id": clip.id, "sources": [source], "sampling_rate": rate, "num_samples": facts["num_samples"],
        **length, "channel_ids": [0],
    }  # fmt: skip
    return {
        "id": clip.id, "start": 0.0, **length, "channel": 0, "supervisions": [_known(supervision)],
        "recording": recording, "custom": _known(custom), "type": "MonoCut",
    }  # fmt: skip


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts without those that nobody knows."""
    return {name: value for name, value in facts.items() if value is not None}


_SHAR = """{every}

Each is a folder of Lhotse Shar.

```python
from lhotse import CutSet

for cut in CutSet.from_shar(in_dir="{first}"):
    captions, samples = cut.supervisions[0].custom["caption"], cut.load_audio()
```
"""
_FILES = """```python
from pathlib import Path
from lhotse import CutSet

here = Path(".")  # this folder
for manifest in sorted(here.glob("{first}-*.jsonl.gz")):
    for cut in CutSet.from_jsonl_lazy(manifest).with_recording_path_prefix(here):
        captions, samples = cut.supervisions[0].custom["caption"], cut.load_audio()
```

`captionstew import *.jsonl.gz` makes a build of them again.
"""
