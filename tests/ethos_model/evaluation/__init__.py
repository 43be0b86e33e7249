"""Tests of the evaluation's rooms, and the tiny corpus that they share."""
