"""The files of an exported model: SavedModel, LiteRT, ONNX, weights and card."""
