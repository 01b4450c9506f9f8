"""Audio encoders, all behind `Encoder`: objectives and evaluations do not care which one runs."""
