"""Rendered heads: people who do not exist, with exact landmarks and depth."""
