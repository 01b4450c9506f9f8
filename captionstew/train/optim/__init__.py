"""Optimisers and schedules: ScaledAdam with Eden for Zipformer, AdamW with cosine for transformers."""
