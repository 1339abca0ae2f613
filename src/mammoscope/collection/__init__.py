"""Whole trees of DICOM files, whatever they hold: what lies there, where pictures hang, what is written of it."""
