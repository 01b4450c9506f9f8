"""Zipformer-M and BERT-base, contrastive, from scratch, at the CaptionStew paper's figures (§4.1)."""

from captionstew.train.run import Audio, Contrast, Data, Optimiser, Run

contrastive = Run(
    name="contrastive",
    about="Zipformer-M + BERT-base, InfoNCE, from scratch; 640 s per GPU, 600k steps",
    audio=Audio(encoder="zipformer-m"),
    objective=Contrast(text="bert-base-uncased"),
    data=Data(seconds=640, shortest=1, longest=30),
    optimiser=Optimiser(kind="scaled-adam", rate=0.045, schedule="eden3"),
    steps=600_000,
)
