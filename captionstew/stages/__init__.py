"""The stages of a build, one decision per file."""
