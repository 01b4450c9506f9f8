"""Readers of annotation files, one module per layout: `rows(found, shelf)` gives a lazy table."""
