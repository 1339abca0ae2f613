"""What in a file identifies a person, and the same file without it."""
