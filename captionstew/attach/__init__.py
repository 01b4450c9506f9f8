"""A captions release and the audio that its user has, joined: the audio tier as a direct build would write it."""
