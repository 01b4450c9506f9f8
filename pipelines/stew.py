"""Our stew: the corpora of the paper, and more captions for them.

Today its stages are those of `paper.py`. What will differ: an event detector and a language model add captions
after Clean, marked as generated and never in place of a published one, and a guard drops those that lose a sound.
"""

from captionstew.pipeline.pipeline import Pipeline
from captionstew.stages.clean import Clean
from captionstew.stages.decontaminate import Decontaminate
from captionstew.stages.dedupe import Dedupe
from captionstew.stages.duration import Duration
from captionstew.stages.encode import Encode
from captionstew.stages.locate import Locate
from captionstew.stages.measure import Measure
from captionstew.stages.merge import Merge
from captionstew.stages.normalize import Normalize
from captionstew.stages.probe import Probe
from captionstew.stages.quality import Quality
from captionstew.stages.read import Read
from captionstew.stages.shard import Shard

stew = Pipeline(
    name="stew",
    about="the corpora of the paper; generated captions will join those of the publishers",
    corpora=(  # the first to know a clip owns it: people's captions before generated ones
        "audiocaps",
        "clotho",
        "musiccaps",
        "wavcaps-bbc",
        "wavcaps-soundbible",
        "paraspeechcaps",
        "audiosetcaps-audioset",
        "audiosetcaps-vggsound",
        "audiosetcaps-youtube8m",
    ),
    stages=(
        Read(),
        Merge(),
        Decontaminate(
            against=("audiocaps", "clotho", "musiccaps", "paraspeechcaps", "vggsound", "esc50"),
            blocklists=("wavcaps-freesound:test", "wavcaps-freesound:ub8k-esc50-vggsound"),
        ),
        Locate(),
        Probe(),
        Duration(shortest=1, longest=60),
        Normalize(sample_rate=16_000),
        Measure(),
        Encode(codec="flac"),
        Quality(),
        Dedupe(),
        Clean(),
        Shard(megabytes=500),
    ),
)
