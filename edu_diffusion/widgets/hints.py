"""What explorers are given, and what they yield, as type hints.

The widgets import neither torch nor diffusers: such objects come from the caller, and pass through. To a type checker
their names here mean anything; to a reader they say what is expected.
"""

from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from ..figures import Picture

__all__ = ["DType", "Drawing", "Messages", "Module", "Pipeline", "Tensor", "Tokenizer"]

Pipeline = Any  # diffusers' StableDiffusionPipeline
Tokenizer = Any  # transformers' CLIPTokenizer
Module = Any  # torch.nn.Module
Tensor = Any  # torch.Tensor
DType = Any  # torch.dtype

Value = TypeVar("Value")
Messages = Generator[str, None, Value]  # yields messages about its progress, and returns a value
Drawing = Iterator[Picture | str]  # yields messages and, at least once, a Picture
