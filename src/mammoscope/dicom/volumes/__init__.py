"""Slices of a series, or of one file, as a volume in the patient's space."""
