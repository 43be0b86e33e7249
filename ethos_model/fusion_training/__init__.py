"""Training of the network that reconstructs a face from many frames."""
