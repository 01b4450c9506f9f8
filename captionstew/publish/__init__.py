"""Releases: which rows may leave in which tier, the repository that holds them, and its upload to the Hub."""
