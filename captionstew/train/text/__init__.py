"""Text towers and decoders, through transformers or from scratch, and the tokenisers they need."""
