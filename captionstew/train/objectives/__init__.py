"""What is learnt from pairs of audio and text: contrastive, captioning, and both at once."""
