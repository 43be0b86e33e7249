"""The threads and the process behind the viewer's window. Nothing here imports Tk."""
