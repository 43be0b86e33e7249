"""Training batches: reading, sampling, augmentation and caching of examples."""
