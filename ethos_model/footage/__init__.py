"""Processing of video without a window: reading, finding, tracking, smoothing."""
