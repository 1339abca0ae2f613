"""Whether a file is what the standard and its own header say that it is."""
