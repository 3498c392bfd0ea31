"""Reading the user's pictures, with files that are really broken; and animated GIFs."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from edu_diffusion.data.pictures import animation, read_picture
from edu_diffusion.errors import EduError


def encoded(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def half(left, right, size=(40, 40), mode="RGB"):
    """A picture whose left half has one colour and whose right half another."""
    picture = Image.new(mode, size, right)
    picture.paste(left, (0, 0, size[0] // 2, size[1]))
    return picture


def png(width, height, depth=8, colour=2, data=b""):
    """A PNG with any header, whatever its pixels."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_kind_is_read(kind, tmp_path):
    path = tmp_path / "mein Bild é.dat"  # the contents count, not the name
    path.write_bytes(encoded(half("red", "blue"), kind))
    x = read_picture(path)
    assert x.shape == (1, 3, 64, 64) and x.dtype == torch.float32 and x.is_contiguous()
    assert torch.allclose(x[0, :, 32, 8], torch.tensor([1.0, -1, -1]), atol=0.1)
    assert torch.allclose(x[0, :, 32, 56], torch.tensor([-1.0, -1, 1]), atol=0.1)
    assert torch.equal(x, read_picture(path.read_bytes())) and torch.equal(x, read_picture(str(path)))


def test_the_range_is_minus_one_to_one_and_the_size_is_free():
    x = read_picture(encoded(half("black", "white")), size=32)
    assert x.shape == (1, 3, 32, 32) and x.min() == -1 and x.max() == 1


def test_the_middle_square_is_cut_out():
    picture = Image.new("RGB", (100, 40), "red")
    picture.paste("blue", (30, 0, 70, 40))
    assert read_picture(encoded(picture))[0, 2].min() == 1, "only the blue middle"


def test_a_camera_held_sideways_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise: what is left in the file is on top
    x = read_picture(encoded(half("red", "blue"), "JPEG", exif=exif, quality=95))
    assert x[0, 0, 8].min() > 0.8 and x[0, 2, 56].min() > 0.8


@pytest.mark.parametrize("picture", [
    half((255, 0, 0, 0), (0, 0, 255, 255), mode="RGBA"), half((0, 0), (0, 255), mode="LA")], ids=["RGBA", "LA"])
def test_transparency_lies_on_white(picture):
    x = read_picture(encoded(picture))
    assert x[0, :, 32, 8].min() == 1 and x[0, 0, 32, 56] == -1


def test_a_transparent_colour_of_a_palette_lies_on_white():
    picture = half("red", "blue").quantize(2)
    x = read_picture(encoded(picture, transparency=picture.getpixel((0, 0))))
    assert x[0, :, 32, 8].min() == 1 and x[0, 2, 32, 56] == 1 and x[0, 0, 32, 56] == -1


def test_sixteen_bits_are_rescaled():
    picture = Image.fromarray(np.full((20, 20), 0x8080, dtype=np.uint16))
    assert picture.mode == "I;16"
    assert read_picture(encoded(picture)).sub(2 * 0x80 / 255 - 1).abs().max() < 1e-5


def test_other_colour_models():
    assert read_picture(encoded(Image.new("CMYK", (20, 20), (0, 0, 0, 0)), "JPEG")).min() > 0.98
    assert read_picture(encoded(Image.new("1", (20, 20), 1))).min() == 1
    assert read_picture(encoded(Image.new("L", (1, 1), 0))).max() == -1, "one pixel is enough"


def refused(source, words):
    with warnings.catch_warnings(record=True) as said, pytest.raises(EduError, match=words) as caught:
        warnings.simplefilter("always")
        read_picture(source)
    assert not said, "Pillow's own warning adds nothing"
    assert "\n" not in str(caught.value) and " at 0x" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_cut_off_anywhere_is_refused(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8))
    data = encoded(noise, kind)
    for share in (0.02, 0.3, 0.7, 0.95):
        refused(data[: int(len(data) * share)], "incomplete|not a readable picture")


def test_a_flipped_byte_in_a_png_is_refused():
    data = bytearray(encoded(half("red", "blue")))
    data[len(data) // 2] ^= 255
    refused(bytes(data), "damaged|not a readable picture")


@pytest.mark.parametrize("data", [b"<html><body>404</body></html>", b"<svg/>", b"hello", b"\0" * 5000, b"GIF89a",
                                  encoded(Image.new("RGB", (9, 9)), "BMP"), encoded(Image.new("RGB", (9, 9)), "TIFF")])
def test_something_else_is_refused(data):
    refused(data, "not a readable picture|damaged")


def test_empty_and_missing(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "empty.png is an empty file")
    refused(b"", "is an empty file")
    refused(tmp_path / "no.png", "no file .*no.png")
    refused(tmp_path, "no file")


@pytest.mark.parametrize("size", [(4001, 4000), (9500, 9500), (13_000, 13_000), (20_000, 20_000)])
def test_too_many_pixels_are_refused_from_the_header(size, monkeypatch):
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("the pixels were unpacked"))
    refused(png(*size), "16 million")


def test_a_header_without_pixels_is_refused():
    refused(png(50, 50), "damaged or incomplete")
    refused(png(0, 50), "damaged|not a readable picture")


# ---------------------------------------------------------------- GIF

def frames(data):
    picture = Image.open(io.BytesIO(data))
    for k in range(picture.n_frames):
        picture.seek(k)
        yield np.asarray(picture.convert("RGB")), dict(picture.info)


def test_an_animation_shows_the_frames_enlarged_and_rests_on_the_last(tmp_path):
    x = torch.stack([torch.full((3, 8, 8), v) for v in (-1.0, 0.0, 1.0)])
    x[:, 0, 0, 0] = torch.tensor([1.0, 1.0, -1.0])
    data = animation(x, tmp_path / "a.gif", scale=4, ms=80, rest=2000)
    assert (tmp_path / "a.gif").read_bytes() == data == animation(list(x))
    shown = list(frames(data))
    assert len(shown) == 3 and shown[0][0].shape == (32, 32, 3)
    assert [info["duration"] for _, info in shown] == [80, 80, 2000]
    for (pixels, _), grey in zip(shown, (0, 128, 255)):
        assert (pixels[8:, 8:] == grey).all()
    assert (shown[0][0][:4, :4] == (255, 0, 0)).all() and (shown[0][0][:4, 4:] == 0).all()
    assert shown[0][1].get("loop") == 0


def test_an_animation_needs_a_frame():
    with pytest.raises(EduError, match="at least one frame"):
        animation([])
