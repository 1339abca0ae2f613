"""The pixels of a file: its facts, its frames as they are stored, as the modality measured them, as they are shown."""
