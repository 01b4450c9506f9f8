"""The training module: from shards to a pretrained audio encoder."""
