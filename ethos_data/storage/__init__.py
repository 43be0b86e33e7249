"""Local and remote files, npz archives and TFRecord files."""
