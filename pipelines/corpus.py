"""One corpus by its name, every split: `captionstew build clotho`. The command fills in the name.

Nothing is excluded for being evaluation data: val and test come out as val and test, and clips that only sound alike
(two takes of one recording in ESC-50) stay.
"""

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

corpus = Pipeline(
    name="corpus",
    about="one corpus by its name, every split: build clotho",
    corpora=(),
    stages=(
        Read(),
        Merge(),
        Locate(),
        Probe(),
        Duration(shortest=1, longest=60),
        Normalize(sample_rate=16_000),
        Measure(),
        Encode(codec="flac"),
        Quality(),
        Dedupe(near=False),
        Clean(),
        Shard(megabytes=500),
    ),
)
