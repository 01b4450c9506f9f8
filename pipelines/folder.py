"""Your own data: a folder, or a table of audio and captions. Nothing that a person chose is dropped for its length."""

from captionstew.pipeline.pipeline import Pipeline
from captionstew.stages.clean import Clean
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

folder = Pipeline(
    name="folder",
    about="your own audio and captions: --from a folder, CSV, JSONL or Parquet",
    corpora=("folder",),
    stages=(
        Read(),
        Merge(),
        Locate(),
        Probe(),
        Duration(shortest=0.1, longest=600),
        Normalize(sample_rate=16_000),
        Measure(),
        Encode(codec="flac"),
        Quality(),
        Dedupe(near=False),
        Clean(),
        Shard(megabytes=500),
    ),
)
