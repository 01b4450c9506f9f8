"""CaptionStew: the open audio-caption corpora as one training set, and a module that trains on it."""

__version__ = "0.1.0"
