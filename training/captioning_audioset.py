"""As `captioning`, from a Zipformer that classified AudioSet: a third of the steps (CaptionStew paper, §4.1)."""

from captionstew.train.run import Audio, Caption, Data, Optimiser, Run

captioning_audioset = Run(
    name="captioning_audioset",
    about="Zipformer-M from AudioSet + BART-base; 640 s per GPU, 200k steps",
    audio=Audio(
        encoder="zipformer-m", initial="marcoyang/icefall-audio-tagging-audioset-zipformer-M-weighted-sampler"
    ),
    objective=Caption(decoder="bart", text="facebook/bart-base", parallel_share=0.75),
    data=Data(seconds=640, shortest=1, longest=30),
    optimiser=Optimiser(kind="scaled-adam", rate=0.045, schedule="eden3"),
    steps=200_000,
)
