"""Arguments that all batches share: how many, and the seed. One place says what is allowed."""

from ..errors import EduError

MOST = 100_000  # scenes at once: five gigabytes of images


def check_batch(n: int, seed: int = 0) -> None:
    """Raise EduError unless n is a whole number from 1 to MOST and the seed one from 0 to 2**63 - 1."""
    if not whole(n) or not 1 <= n <= MOST:
        raise EduError(f"n is {n!r}; it must be a whole number from 1 to {MOST:,}, since all of them are in memory at once.")
    if not whole(seed) or not 0 <= seed < 2**63:
        raise EduError(f"The seed is {seed!r}; it must be a whole number from 0 to 2**63 - 1.")


def whole(value: object) -> bool:
    """Whether a value is a whole number, of Python or of a library; True and False are not."""
    return hasattr(value, "__index__") and not isinstance(value, bool)
