"""Zipformer-M and BART-base, captions word by word and all at once, at the CaptionStew paper's figures (§4.1)."""

from captionstew.train.run import Audio, Caption, Data, Optimiser, Run

captioning = Run(
    name="captioning",
    about="Zipformer-M + BART-base, parallel share 0.75, from scratch; 640 s per GPU, 600k steps",
    audio=Audio(encoder="zipformer-m"),
    objective=Caption(decoder="bart", text="facebook/bart-base", parallel_share=0.75),
    data=Data(seconds=640, shortest=1, longest=30),
    optimiser=Optimiser(kind="scaled-adam", rate=0.045, schedule="eden3"),
    steps=600_000,
)
