"""The multi-task face network: build, train, evaluate, export, predict."""
