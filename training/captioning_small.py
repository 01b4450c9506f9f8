"""The sibling of `captioning` for one CPU: a tiny Zipformer, a small decoder from scratch, minutes."""

from captionstew.train.run import Audio, Augment, Caption, Data, Optimiser, Run

captioning_small = Run(
    name="captioning_small",
    about="tiny Zipformer + small decoder from scratch, both modes: learns something real on one CPU",
    # Zipformer's dropouts and skips are scheduled over tens of thousands of steps: in some hundred they only hinder.
    audio=Audio(encoder="zipformer-tiny", regularize=False),
    augment=Augment(spec="none"),
    objective=Caption(decoder="scratch", text="scratch", style="bart", width=192, layers=2, vocabulary=2_000,
                      max_tokens=48),
    data=Data(seconds=64, shortest=0.3, longest=10, hold_out=0.1, captions="one"),
    # ScaledAdam for Zipformer, AdamW for the text parts; both down to nothing, since this run is short.
    optimiser=Optimiser(
        kind="scaled-adam", rate=0.03, text_kind="adamw", text_rate=5e-4, schedule="cosine", warmup=50, clip=1.0
    ),
    steps=400,
    average_every=0,
    log_every=10,
    validate_every=100,
    save_every=100,
    precision="float32",
)  # fmt: skip
