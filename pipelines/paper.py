"""CaptionStew as published (arXiv 2511.16757): captions as they are, one clip per key, 16 kHz, 1 to 60 s.

Six of its eight corpora; FusionAudio and JamendoMaxCaps join when their facts do. Of WavCaps the paper took
BBC and SoundBible, and left FreeSound and AudioSet-SL out because they overlap the others. No clip lies on an
evaluation clip of the sets that we report on, by key. Of WavCaps' block lists the two that name evaluation clips
count; the third names every clip of AudioCaps and Clotho, training clips too.
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

paper = Pipeline(
    name="paper",
    about="CaptionStew as published: captions as they are, no evaluation clip inside",
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
