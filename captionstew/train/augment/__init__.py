"""Augmentation in training: every draw follows from an item's seed, so resuming and more workers change nothing."""

from captionstew.train.augment.augmentation import Augmentation

__all__ = ["Augmentation"]
