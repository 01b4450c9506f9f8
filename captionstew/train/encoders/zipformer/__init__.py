"""Zipformer (Yao et al. 2024) in plain PyTorch, under icefall's tensor names."""
