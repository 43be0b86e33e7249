"""The widgets of the viewer: everything that imports Tk."""
