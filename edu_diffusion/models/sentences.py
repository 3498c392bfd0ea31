"""One clear sentence instead of a traceback from deep inside a library."""

import contextlib
from collections.abc import Iterator

from ..errors import EduError


@contextlib.contextmanager
def in_words(where: object) -> Iterator[None]:
    """Turn any exception that a library raises inside the block into one clear EduError."""
    try:
        yield
    except EduError:
        raise
    except PermissionError as error:
        raise unreadable(error) from error
    except Exception as error:
        raise EduError(
            f"{where} is not part of a valid Stable Diffusion: {first_line(error).rstrip('.')}; copy or download it again."
        ) from error


@contextlib.contextmanager
def reachable() -> Iterator[None]:
    """Turn a path that the system does not open into one clear EduError; also a decorator."""
    try:
        yield
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> EduError:
    """The sentence for a path that the system does not open."""
    where = str(error.filename or "The path")
    return EduError(
        f"{where[:200]} cannot be read ({error.strerror or first_line(error)}): check the name and its "
        "permissions, or give another path."
    )


def first_line(error: BaseException) -> str:
    """The first line of an exception's text, or its class."""
    return str(error).strip().split("\n")[0][:300] or type(error).__name__


def few(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    return ", ".join(name[:100] for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
