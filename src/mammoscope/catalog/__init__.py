"""A tree of files -> who and what is in it; and which patient stands in which partition."""
