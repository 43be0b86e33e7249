"""The kinds of video sources behind `ethos_model.footage.reader.open_video`."""
