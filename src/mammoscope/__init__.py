"""mammoscope: from a folder of mammography DICOM to a registered, evidence-backed model. Research use only."""

__version__ = "0.1.0"
