"""Read the user's own pictures for the model, and export images as an animated GIF."""

import io
import itertools
import os
import pathlib
import re
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from ..errors import EduError
from . import files, pngchunks, rgb

FORMATS = ["PNG", "JPEG", "WEBP", "GIF"]
MOST_PIXELS = 16_000_000
MOST_BYTES = 150_000_000  # of a file: 16 million pixels, uncompressed, with 16 bits for each of four channels
MOST_EDGE = 4096  # of the result
OTHERS = {
    r"%PDF": "a PDF document",
    r".{4}ftyp(hei|hev|mif|msf)": "a HEIC picture",
    r".{4}ftypavi": "an AVIF picture",
    r"BM": "a BMP picture",
    r"II\*\0|MM\0\*": "a TIFF picture",
    r"8BPS": "a Photoshop picture",
    r"(?i)\s*(<\?xml.*?)?(<!--.*?)?(<!doctype svg.*?)?<svg": "an SVG drawing",
    r"(?i)\s*<(!doctype html|html)": "a web page",
}  # how these files begin


def read_picture(source: str | os.PathLike | bytes, size: int = 64) -> torch.Tensor:
    """Read a picture from outside: rotated upright, in sRGB, on white where it is transparent, cropped to a square, resized.

    source: the path of a PNG, JPEG, WebP or GIF file (its first frame), or the bytes of one.
    size: edge of the result in pixels. Returns (1, 3, size, size) in [-1, 1].
    Raises EduError when the file is missing, empty, truncated, of another format, or has over 16 million
    pixels; the last is read from the header, before anything is decoded.
    """
    if not 1 <= size <= MOST_EDGE:
        raise EduError(f"The size is {size}; it must be 1 to {MOST_EDGE}, such as 64.")
    data, name = contents(source)
    if not data:
        raise EduError(f"{name} is an empty file; save or download the picture again.")
    picture = square(upright(data, name), size)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].contiguous() / 127.5 - 1


def own_picture(picture: torch.Tensor | str | os.PathLike | bytes, size: int = 64) -> torch.Tensor:
    """The user's picture as (1, 3, H, W) in [-1, 1]: a tensor (3, H, W) or (1, 3, H, W) unchanged, a file as in read_picture.

    Raises EduError for another shape, and what read_picture raises.
    """
    if not isinstance(picture, torch.Tensor):
        return read_picture(picture, size)
    one = picture[None] if picture.ndim == 3 else picture
    if one.ndim != 4 or one.shape[:2] != (1, 3):
        raise EduError(f"The picture has the shape {tuple(picture.shape)}; it must be (3, height, width), in [-1, 1].")
    return one.detach().cpu().float()


def noise_like(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Gaussian noise with the shape of x, reproducible by the seed."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))


def bare(source: str | os.PathLike | bytes, most: int = MOST_EDGE) -> bytes:
    """The bytes of a PNG with a picture's pixels and nothing else: no place, date, camera, author or text.

    The pixels are those of read_picture before it crops: upright, in sRGB, on white. most: the longest edge; a larger picture is
    reduced. Raises what read_picture raises.
    """
    shown = upright(*contents(source))
    shown.thumbnail((most, most))
    file = io.BytesIO()
    Image.fromarray(np.array(shown)).save(file, "PNG")  # a new picture, which has no metadata to write
    return file.getvalue()


def keep_picture(source: str | os.PathLike | bytes, folder: str | os.PathLike = "my_pictures") -> pathlib.Path:
    """Keep a learner's own picture for later cells, without its metadata and its name; return the path: my_pictures/picture-1.png.

    folder: by default one beside the lesson that git ignores, as everything in work/ and notebooks/my_* is. A picture that is kept
    already is not kept twice. Raises EduError for what is no picture, or where nothing can be written.
    """
    data, folder = bare(source), pathlib.Path(folder)
    numbered = (folder / f"picture-{number}.png" for number in itertools.count(1))
    try:
        path = next(path for path in numbered if not path.exists() or path.read_bytes() == data)
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, data)
    except OSError as error:
        raise EduError(f"The picture cannot be kept in {folder} ({error.strerror or error}); name another folder.") from error
    return path


def contents(source: str | os.PathLike | bytes) -> tuple[bytes, str]:
    """The bytes of a picture, and its name for error messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), "The picture"
    if not isinstance(source, (str, os.PathLike)):
        raise EduError(f"A picture is the name of a file or its bytes, not {type(source).__name__}; save it to a file first.")
    path = pathlib.Path(source)
    try:
        return from_disk(path), path.name
    except FileNotFoundError as error:
        raise EduError(f"There is no file {path}; check the name, or give the full path.") from error
    except OSError as error:
        raise EduError(f"{path} cannot be read ({error.strerror or error}); copy it to another place.") from error


def from_disk(path: pathlib.Path) -> bytes:
    """Read a whole file, unless it is a folder or far larger than any picture."""
    if path.is_dir():
        raise EduError(f"{path} is a folder; give the name of one picture in it.")
    if path.stat().st_size > MOST_BYTES:
        raise EduError(f"{path.name} has {path.stat().st_size:,} bytes; at most {MOST_BYTES:,} are allowed: make it smaller first.")
    return path.read_bytes()


def upright(data: bytes, name: str) -> Image.Image:
    """Decode a picture of a safe size, rotated as the camera was held, in sRGB on white."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks about metadata change nothing here
        picture = opened(pngchunks.lean(data), name)
        width, height = picture.size
        if width * height > MOST_PIXELS:
            raise too_large(name, f"{width} x {height} pixels")
        try:
            picture.load()
            return rgb.on_white(rgb.turned(picture), rgb.depth(data))
        except rgb.BROKEN as error:
            raise EduError(f"{name} is damaged or incomplete; save or download it again.") from error


def opened(data: bytes, name: str) -> Image.Image:
    """Read the header only."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise too_large(name, "many more pixels") from error
    except rgb.BROKEN as error:
        raise EduError(f"{name} is {kind(data)}; use a PNG, JPEG, WebP or GIF file.") from error


def kind(data: bytes) -> str:
    """What a file is that is not read, judged by how it begins."""
    begin = data[:2000].decode("latin-1")
    found = (what for pattern, what in OTHERS.items() if re.match(pattern, begin, re.DOTALL))
    return next((f"{what}, which is not read" for what in found), "not a readable picture")


def too_large(name: str, found: str) -> EduError:
    return EduError(f"{name} has {found}; at most 16 million are allowed: make it smaller first.")


def square(picture: Image.Image, size: int) -> Image.Image:
    """Crop the central square and resize it with antialiasing."""
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    return picture.crop((left, top, left + edge, top + edge)).resize((size, size), Image.Resampling.LANCZOS)


def animation(
    frames: torch.Tensor | Sequence[torch.Tensor],
    path: str | os.PathLike | None = None,
    scale: int = 4,
    ms: int = 80,
    rest: int = 2000,
) -> bytes:
    """Make an animated GIF of images, each pixel a square; it repeats after a pause on the last frame.

    frames: (N, 3, H, W) in [-1, 1], or a list of N (3, H, W). path: where to write it, or None. scale: the edge of
    a pixel. ms, rest: duration of a frame, and of the last one, in milliseconds. Returns the bytes of the file.
    """
    if not len(frames):
        raise EduError("An animation needs at least one frame.")
    pictures = [enlarged(frame, scale) for frame in frames]
    file = io.BytesIO()
    pictures[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        loop=0,
        disposal=1,
        optimize=False,
        duration=[ms] * (len(pictures) - 1) + [rest],
    )
    if path is not None:
        files.write_bytes(path, file.getvalue())
    return file.getvalue()


def enlarged(frame: torch.Tensor, scale: int) -> Image.Image:
    """One image (3, H, W) with a palette of 64 colours, which keeps the file small, and square pixels."""
    pixels = (frame.detach().cpu().float() * 127.5 + 127.5).clamp(0, 255).round().byte().permute(1, 2, 0).numpy()
    few = Image.fromarray(pixels).quantize(64, dither=Image.Dither.NONE)
    return few.resize((few.width * scale, few.height * scale), Image.Resampling.NEAREST)
