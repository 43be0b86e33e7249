"""The threads and the process behind the window."""
