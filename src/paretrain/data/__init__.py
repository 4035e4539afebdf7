"""Images as uint8 tensors: their sources, splits, cache and augmentation."""
