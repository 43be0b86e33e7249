"""The files of an exported model: SavedModel, LiteRT, trainable weights and card."""
