"""A tracking store that does not answer, told from one that refuses."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from requests import RequestException
from sqlalchemy.exc import SQLAlchemyError

from mammoscope.errors import MammoscopeError
from mammoscope.tracking.privacy import without_paths

# A run that is not there is none: a server that was started over another database has none of our runs.
REFUSALS = {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}
REFUSAL_STATUS = {400, 405, 411, 413, 414, 415, 422}
NO_SUCH_RUN = "RESOURCE_DOES_NOT_EXIST"
KNOWN = re.compile(r"connection refused|connection reset|timed out|name or service not known|no route to host", re.I)
REASON_LENGTH = 160


class StoreAway(MammoscopeError):
    """The tracking store does not answer, or cannot do now what it could do before. Trying again later may help."""


def is_refusal(error: Exception) -> bool:
    """Whether the same call will be refused again: its content is wrong. A network, a login, a disk can be mended."""
    if isinstance(error, MlflowException):
        return error.error_code in REFUSALS
    if isinstance(error, RequestException):
        return error.response is not None and error.response.status_code in REFUSAL_STATUS
    return not isinstance(error, (OSError, SQLAlchemyError))  # the rest are bugs, which do not go away either


def reason(error: Exception) -> str:
    """One short line, without this disk's paths and a URI's password."""
    if isinstance(error, MlflowException) and error.error_code == NO_SUCH_RUN:
        return "it has no such run"
    if known := KNOWN.search(str(error)):  # else its name would come last in a line that nobody reads to the end
        return known[0].lower()
    text = re.sub(r"//[^/@\s]+@", "//", without_paths(first_line(error)))
    return text if len(text) <= REASON_LENGTH else f"{text[:REASON_LENGTH]}..."


def first_line(error: Exception) -> str:
    """What an error says first, but for SQLAlchemy's hint to programmers; its class where it says nothing."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line and not line.startswith("(raised as a result")), type(error).__name__)


def public_address(uri: str) -> str:
    """The URI without a user and a password."""
    parts = urlsplit(uri)
    return uri if "@" not in parts.netloc else parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@contextmanager
def answered(uri: str) -> Iterator[None]:
    """Raises StoreAway where a call in the block got no answer; refusals stay what they are."""
    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, ConnectionError) as error:
        if is_refusal(error):
            raise
        raise StoreAway(f"tracking.uri={public_address(uri)}: {reason(error)}") from error
