"""JPEG as a baseline for compression: the best file of a given size, and the PSNR of two pictures."""

import io
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from ..errors import EduError

__all__ = ["Jpeg", "best_jpeg", "psnr"]


class Jpeg(NamedTuple):
    """A picture after JPEG."""

    image: torch.Tensor  # (3, H, W) in [-1, 1]
    nbytes: int  # of the whole file
    header: int  # of these, before the picture's own data: tables that any JPEG file needs
    quality: int


def best_jpeg(image: torch.Tensor, most: int, mask: torch.Tensor | None = None) -> Jpeg:
    """The JPEG file of at most `most` bytes that is closest to a picture; if none is small enough, the smallest.

    Chroma at full, half and quarter resolution is tried, with the best quality that fits, and Huffman tables
    optimised for this picture. image: (3, H, W) in [-1, 1]. mask: where the error is measured, see psnr.
    Returns a Jpeg. Raises EduError for another shape.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise EduError(f"A picture has the shape {tuple(image.shape)}; it must be (3, height, width).")
    source = Image.fromarray(to_bytes(image))
    tries = [finest(source, most, subsampling) for subsampling in (0, 1, 2)]
    fitting = [jpeg for jpeg in tries if jpeg.nbytes <= most]
    if not fitting:
        return min(tries, key=lambda jpeg: jpeg.nbytes)
    return max(fitting, key=lambda jpeg: psnr(jpeg.image, image, mask))


def finest(source: Image.Image, most: int, subsampling: int) -> Jpeg:
    """The file with the best quality that fits, else that with the worst."""
    low, best = 1, coded(source, 1, subsampling)
    high = 100
    while low < high:
        middle = (low + high + 1) // 2
        jpeg = coded(source, middle, subsampling)
        if jpeg.nbytes <= most:
            low, best = middle, jpeg
        else:
            high = middle - 1
    return best


def coded(source: Image.Image, quality: int, subsampling: int) -> Jpeg:
    """Write a JPEG file in memory, and decode it."""
    file = io.BytesIO()
    source.save(file, "JPEG", quality=quality, subsampling=subsampling, optimize=True)
    data = file.getvalue()
    decoded = bytearray(Image.open(io.BytesIO(data)).convert("RGB").tobytes())
    pixels = torch.frombuffer(decoded, dtype=torch.uint8)
    image = pixels.view(source.height, source.width, 3).permute(2, 0, 1) / 127.5 - 1
    return Jpeg(image, len(data), data.index(b"\xff\xda"), quality)


def to_bytes(image: torch.Tensor) -> np.ndarray:
    """A picture as an array of bytes, (H, W, 3)."""
    levels = image.detach().cpu().float() * 127.5 + 127.5
    return levels.clamp(0, 255).round().byte().permute(1, 2, 0).numpy()


def psnr(image: torch.Tensor, other: torch.Tensor, mask: torch.Tensor | None = None) -> float:
    """Peak signal-to-noise ratio in decibels: -10 log10 of the mean squared error on a scale from 0 to 1.

    image, other: (3, H, W) in [-1, 1]. mask: (H, W), weights of the pixels, or None for all. Infinite if
    the pictures are equal.
    """
    error = ((image.float().cpu() - other.float().cpu()) / 2).square().mean(0)
    weight = torch.ones_like(error) if mask is None else mask.float().cpu()
    return -10 * torch.log10((error * weight).sum() / weight.sum().clamp(min=1)).item()
