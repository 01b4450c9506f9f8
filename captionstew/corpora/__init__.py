"""Open audio-caption corpora: their facts, and their annotations as lazy tables."""
