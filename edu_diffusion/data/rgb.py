"""The pixels of any picture that Pillow decodes as 8-bit sRGB: turned upright, colour profile applied, on white."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms, ImageOps

from .pngchunks import MAGIC

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    AttributeError,
    MemoryError,
    struct.error,
    zlib.error,
)  # exceptions of Pillow's readers for damaged files


def turned(picture: Image.Image) -> Image.Image:
    """A picture rotated as the camera was held; unchanged where that note is damaged."""
    try:
        return ImageOps.exif_transpose(picture)
    except BROKEN:
        return picture


def depth(data: bytes) -> int:
    """Bits of a channel: those in the header of a PNG, 8 for other files."""
    return data[24] if data.startswith(MAGIC) else 8


def on_white(picture: Image.Image, bits: int = 8) -> Image.Image:
    """RGB in sRGB, with white behind whatever is transparent."""
    whole = in_srgb(colours(picture), picture.info.get("icc_profile")).convert("RGBA")
    whole.putalpha(opacity(picture, bits))
    return Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("RGB")


def colours(picture: Image.Image) -> Image.Image:
    """A picture without its transparency, in L, CMYK or RGB, 8 bits each; Pillow itself would clip 16-bit grey at 255."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture, dtype=np.float64) / 257).clip(0, 255).round().astype(np.uint8))
    return picture.convert({"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK"}.get(picture.mode, "RGB"))


def opacity(picture: Image.Image, bits: int) -> Image.Image:
    """How opaque each pixel is, 0 to 255."""
    if not picture.has_transparency_data:
        return Image.new("L", picture.size, 255)
    clear = picture.info.get("transparency")
    if picture.mode.startswith("I"):
        return Image.fromarray(np.where(np.asarray(picture) == clear, 0, 255).astype(np.uint8))
    if picture.mode in ("L", "RGB"):
        picture.info["transparency"] = as_pixel(clear, bits)
    return picture.convert("RGBA").getchannel("A")


def as_pixel(clear: int | tuple, bits: int) -> int | tuple:
    """A PNG's transparent colour on Pillow's scale of 0 to 255; the file gives it on the scale of its own pixels."""
    if isinstance(clear, tuple):
        return tuple(as_pixel(channel, bits) for channel in clear)
    return clear >> 8 if bits == 16 else clear * 255 // (2**bits - 1)


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert colours from their profile to sRGB; a damaged profile, or one for another kind of picture, is ignored."""
    if not profile:
        return picture
    try:
        theirs, ours = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(picture, theirs, ours, outputMode="RGB")
    except (ImageCms.PyCMSError, *BROKEN):
        return picture
