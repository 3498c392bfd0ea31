"""What figures are drawn from, as type hints. Only numpy is needed here: an array of it serves as well as a tensor of torch."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

__all__ = ["Array", "Arrays", "Numbers"]


class Array(Protocol):
    """A tensor on any device, or a numpy array."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __getitem__(self, index: Any, /) -> Any: ...


Arrays = Array | Sequence[Array]  # a batch of pictures, say, or a list of them
Numbers = Array | Sequence[float]  # the same for single numbers
