"""Readers of annotation files, one module per layout, found by name: `rows(found, shelf)` gives a lazy table."""
