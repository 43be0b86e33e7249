"""Standard protocols: accuracy on published test sets, as publications report it."""
