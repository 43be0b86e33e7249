"""The Beam conversion job and the end-to-end demo."""
