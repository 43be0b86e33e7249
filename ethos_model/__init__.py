"""The multi-task face network: building, training, evaluating, exporting, predicting."""
