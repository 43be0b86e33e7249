"""Image drawing without Tk."""
