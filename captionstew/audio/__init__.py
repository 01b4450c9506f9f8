"""Audio in and out: headers, decoding, resampling, encoding, measures, fingerprints."""
