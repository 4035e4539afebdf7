"""Images as uint8 tensors: where they come from, how they are split, cached and augmented."""
