"""The header of a file: its elements with typed values, as lines, as what a hanging needs."""
