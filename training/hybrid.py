"""Both objectives over one pass of the encoder: the question that the CaptionStew paper left open."""

from captionstew.train.run import Audio, Caption, Contrast, Data, Optimiser, Run

hybrid = Run(
    name="hybrid",
    about="Zipformer-M, InfoNCE with BERT-base and captions with BART-base at once",
    audio=Audio(encoder="zipformer-m"),
    objective=(Contrast(text="bert-base-uncased"), Caption(decoder="bart", text="facebook/bart-base")),
    data=Data(seconds=640, shortest=1, longest=30),
    optimiser=Optimiser(kind="scaled-adam", rate=0.045, schedule="eden3"),
    steps=600_000,
)
