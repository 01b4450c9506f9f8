"""Finished files: the one writer of published Parquet, its readers, and the check of every promise."""
