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


class PngError(MammoscopeError):
    """As DicomError, for a PNG; `reason` does not name the file."""

    def __init__(self, path: str, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.path, self.reason)


class CellError(MammoscopeError):
    """Of a table of the user's own, whose cells the message quotes at the terminal; `public` says where they stand."""

    def __init__(self, message: str, public: str):
        super().__init__(message)
        self.public = public

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.public)


class LeakError(MammoscopeError):
    """A patient or a film stands in two partitions."""


def public_words(error: BaseException) -> str:
    """An error as it may be stored or sent: no path and no content of a file, either of which may name a patient.

    Paths in other words are left to tracking.privacy.
    """
    match error:
        case CellError():
            return error.public
        case DicomError():
            return error.code
        case PngError():
            return error.reason
    return str(error)
