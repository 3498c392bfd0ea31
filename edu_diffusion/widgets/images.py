"""Pictures as tensors: made smaller, fitted to a pipeline; and words before a Picture's alt text."""

from ..figures import Picture
from .hints import Pipeline, Tensor

__all__ = ["edge", "resized", "said", "small"]


def small(image: Tensor, edge: int) -> Tensor:
    """Reduce a picture (3, H, W) to at most `edge` pixels a side: each block of k x k pixels becomes its mean."""
    k = -(-max(image.shape[1:]) // edge)
    high, wide = (n // k * k for n in image.shape[1:])
    return image[:, :high, :wide].unflatten(2, (-1, k)).unflatten(1, (-1, k)).mean((2, 4))


def resized(x: Tensor, size: int) -> Tensor:
    """Resize a picture or mask by nearest neighbour."""
    height, width = x.shape[-2:]
    rows, columns = ([k * n // size for k in range(size)] for n in (height, width))
    return x[..., rows, :][..., columns]


def edge(pipe: Pipeline) -> int:
    """Return the edge of the pictures that a pipeline is made for, in pixels."""
    size = pipe.unet.config.sample_size
    return (size if isinstance(size, int) else size[0]) * 2 ** (len(pipe.vae.config.block_out_channels) - 1)


def said(words: str, picture: Picture) -> Picture:
    """Return the same picture with words before its alt text."""
    return Picture(picture.png, f"{words} {picture.alt}")
