"""Readers of corpora. Each reader returns videos in one form."""
