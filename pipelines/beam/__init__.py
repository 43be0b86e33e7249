"""Distributes the shards of a conversion with Apache Beam."""
