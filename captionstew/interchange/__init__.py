"""Builds for people who train elsewhere, and collections of theirs that come in."""
