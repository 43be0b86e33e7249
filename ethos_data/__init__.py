"""Faces as data: landmarks, crops, corpora, depth, records, batches, degradations."""
