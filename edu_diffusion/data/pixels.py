"""Pixels as bytes, row by row: the data exchanged between Python and a canvas in the browser."""

from collections.abc import Sequence

import torch

from ..errors import EduError

__all__ = ["from_bytes", "image_bytes", "index_bytes", "paint"]


def image_bytes(x: torch.Tensor, size: int) -> bytes:
    """An image as RGB bytes, size x size x 3. x: (3, size, size) or (1, 3, size, size), float in [0, 1].

    Raises EduError for another shape or range.
    """
    return fitting("image", x, 3, size).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy().tobytes()


def index_bytes(mask: torch.Tensor, size: int) -> bytes:
    """A mask as one byte per pixel, 1 from 0.5 on. mask: (1, 1, size, size), or fewer dimensions."""
    return (fitting("mask", mask, 1, size) >= 0.5).byte().contiguous().numpy().tobytes()


def from_bytes(data: bytes, size: int, channels: int) -> torch.Tensor:
    """Bytes, row by row, as a tensor (1, channels, size, size), uint8."""
    flat = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    return flat.reshape(1, size, size, channels).permute(0, 3, 1, 2)


def paint(background: bytes | None, drawn: bytes, colours: Sequence[str], size: int) -> torch.Tensor:
    """The content of a canvas: (1, 3, size, size), float in [0, 1].

    background: RGB bytes, or none for white. drawn: one byte per pixel, 0 or the number of a colour, from 1.
    colours: a list of "#rrggbb".
    """
    ground = from_bytes(background, size, 3) if background else torch.full((1, 3, size, size), 255).byte()
    table = torch.tensor([[0, 0, 0], *([int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours)])
    which = from_bytes(drawn, size, 1)
    inks = table[which[:, 0].long()].permute(0, 3, 1, 2).byte()
    return torch.where(which > 0, inks, ground).float() / 255


def fitting(name: str, x: torch.Tensor, channels: int, size: int) -> torch.Tensor:
    """Check a mask or image, and return it as (channels, size, size); a mask may lack the channels. Raises EduError."""
    shape = tuple(getattr(x, "shape", ()))
    allowed = [(1, channels, size, size), (channels, size, size), *([(size, size)] if channels == 1 else [])]
    if not torch.is_tensor(x) or shape not in allowed:
        raise EduError(f"{name} is {shape or type(x).__name__}; it must be a tensor of shape {allowed[0]}.")
    x = x.detach().cpu().float().reshape(channels, size, size)
    if not (x.min() >= 0 and x.max() <= 1):
        raise EduError(
            f"{name} ranges from {x.min():.3g} to {x.max():.3g}; it must be in [0, 1]: for an image x in [-1, 1], pass (x + 1) / 2."
        )
    return x
