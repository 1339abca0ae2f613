"""The errors that a user can cause and mend. Anything else that is raised is a bug of ours and shows its traceback."""


class MammoscopeError(ValueError):
    """Bad input. The message names file or key, value, and what is allowed; the doors print it as their last line."""


class DicomError(MammoscopeError):
    """A file that cannot be trusted: `code` is stable (`E-TRUNCATED`, `E-NOT-DICOM`, ...), `path` is what was read."""

    def __init__(self, code: str, path: str, reason: str):
        super().__init__(f"{code} {path}: {reason}")
        self.code, self.path, self.reason = code, path, reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.code, self.path, self.reason)


class LeakError(MammoscopeError):
    """A patient or a film stands in two partitions."""
