"""Pipelines: lists of stages, what runs them, and the ledger that lets them stop and go on."""
