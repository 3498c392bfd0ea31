"""Reading the user's pictures, with files that are really broken; and animated GIFs."""

import io
import pathlib
import struct
import warnings
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from edu_diffusion.data import pictures
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


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, depth=8, colour=2, data=b"", extra=b""):
    """A PNG with any header, whatever its pixels; extra: chunks before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


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


@pytest.mark.parametrize(
    "picture", [half((255, 0, 0, 0), (0, 0, 255, 255), mode="RGBA"), half((0, 0), (0, 255), mode="LA")], ids=["RGBA", "LA"]
)
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


# (bits, kind of colour, two pixels, the transparent colour, the second pixel): the first is transparent, the second is not
CLEAR = [
    (1, 0, b"\x80", b"\0\1", 0),
    (2, 0, b"\xc0", b"\0\3", 0),
    (4, 0, b"\xf5", b"\0\x0f", 0x55),
    (4, 0, b"\x05", b"\0\0", 0x55),
    (8, 0, b"\x30\x31", b"\0\x30", 0x31),
    (16, 0, b"\x80\0\x80\1", b"\x80\0", 0x80),
    (16, 0, b"\0\x30\x40\0", b"\0\x30", 0x40),
    (8, 2, b"\1\2\3\x40\x40\x40", b"\0\1\0\2\0\3", 0x40),
    (16, 2, b"\x80\0" * 3 + b"\x40\0" * 3, b"\x80\0" * 3, 0x40),
]


@pytest.mark.parametrize("bits, colour, row, clear, shown", CLEAR)
def test_a_transparent_colour_counts_in_any_depth(bits, colour, row, clear, shown):
    data = png(2, 1, bits, colour, b"\0" + row, chunk(b"tRNS", clear))
    left, right = np.asarray(pictures.upright(data, "x"))[0]
    assert (left == 255).all() and (right == shown).all()


def test_half_transparent_is_half_white():
    for picture in (Image.new("RGBA", (9, 9), (0, 0, 0, 51)), Image.new("LA", (9, 9), (0, 51))):
        assert read_picture(encoded(picture)).sub(204 / 127.5 - 1).abs().max() < 1e-6
    palette = Image.new("P", (9, 9), 1)
    palette.putpalette([255, 0, 0, 0, 0, 0])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert read_picture(encoded(palette, transparency=bytes([0, 51]))).sub(204 / 127.5 - 1).abs().max() < 1e-6
    assert not said, "what Pillow thinks of palettes does not matter here"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_film_the_first_frame_counts(kind):
    film = encoded(Image.new("RGB", (40, 40), "red"), kind, save_all=True, append_images=[Image.new("RGB", (40, 40), "blue")])
    assert Image.open(io.BytesIO(film)).n_frames == 2
    assert torch.allclose(read_picture(film)[0, :, 9, 9], torch.tensor([1.0, -1, -1]), atol=0.02)


def test_a_camera_that_stores_two_pictures():
    red, blue = (Image.new("RGB", (40, 40), name) for name in ("red", "blue"))
    assert read_picture(encoded(red, "MPO", save_all=True, append_images=[blue]))[0, 0].min() > 0.9


def test_other_colour_models():
    assert read_picture(encoded(Image.new("CMYK", (20, 20), (0, 0, 0, 0)), "JPEG")).min() > 0.98
    assert read_picture(encoded(Image.new("1", (20, 20), 1))).min() == 1
    assert read_picture(encoded(Image.new("L", (1, 1), 0))).max() == -1, "one pixel is enough"


# ---------------------------------------------------------------- colour profiles

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped(profile):
    """A colour profile in which red and green have changed places."""
    names = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}
    count, table = int.from_bytes(profile[128:132], "big"), bytearray(profile)
    for place in range(132, 132 + 12 * count, 12):
        table[place : place + 4] = names.get(profile[place : place + 4], profile[place : place + 4])
    return bytes(table)


@pytest.mark.parametrize("kind, mode", [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("JPEG", "RGB"), ("WEBP", "RGB")])
def test_a_colour_profile_is_applied(kind, mode):
    red = Image.new("RGB", (40, 40), "red").convert(mode)
    x = read_picture(encoded(red, kind, icc_profile=swapped(SRGB)))
    assert torch.allclose(x[0, :, 9, 9], torch.tensor([-1.0, 1, -1]), atol=0.05)


def test_a_profile_leaves_transparency_and_the_colours_of_srgb_alone():
    rgba = half((255, 0, 0, 0), (10, 20, 30, 255), mode="RGBA")
    assert torch.equal(read_picture(encoded(rgba, icc_profile=SRGB)), read_picture(encoded(rgba)))
    x = read_picture(encoded(rgba, icc_profile=swapped(SRGB)))
    assert x[0, :, 32, 8].min() == 1 and x[0, 0, 32, 56] > x[0, 1, 32, 56]


def linear_grey():
    """A colour profile of grey without gamma: a tone curve with no points, and the white point."""
    tags = {b"wtpt": struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061), b"kTRC": b"curv" + bytes(8)}
    table, data = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(data), len(tag))
        data += tag
    return struct.pack(">I", 128 + len(table + data)) + SRGB[4:16] + b"GRAY" + SRGB[20:128] + table + data


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_a_profile_of_grey_is_applied(mode):
    grey = Image.fromarray(np.full((9, 9), 55 * 257, np.uint16)) if mode == "I;16" else Image.new("L", (9, 9), 55).convert(mode)
    assert read_picture(encoded(grey, icc_profile=linear_grey())).sub(128 / 127.5 - 1).abs().max() < 0.03


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("profile", [b"?", b"\0" * 200, SRGB[:200], SRGB[:-40], bytes(132), swapped(SRGB)[:300] + b"x" * 300])
def test_a_broken_profile_or_one_of_another_kind_is_ignored(mode, profile):
    grey = Image.fromarray(np.full((9, 9), 0x8080, np.uint16)) if mode == "I;16" else Image.new("RGB", (9, 9)).convert(mode)
    assert torch.equal(read_picture(encoded(grey, icc_profile=profile)), read_picture(encoded(grey)))


def test_a_profile_of_colours_does_not_stop_a_grey_or_printed_picture():
    for picture in (Image.new("L", (9, 9), 77), Image.new("CMYK", (9, 9), (0, 100, 200, 0))):
        assert torch.equal(read_picture(encoded(picture, "JPEG", icc_profile=SRGB)), read_picture(encoded(picture, "JPEG")))


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"x\0", b"x\0\7abc", b"x\0\0abc", b"x\0\0" + zlib.compress(SRGB)[:-20], b"x\0\0" + zlib.compress(bytes(2_000_000))],
)
def test_a_profile_that_cannot_be_unpacked_is_ignored(body):
    data = png(1, 1, 8, 0, b"\0\xff", chunk(b"iCCP", body))
    assert read_picture(data).min() == 1
    assert read_picture(data.replace(chunk(b"iCCP", body), chunk(b"iCCP", body)[:-1] + b"?")).min() == 1, "a wrong checksum"


# ---------------------------------------------------------------- texts and notes in the file


@pytest.mark.parametrize("late", [False, True])
def test_long_texts_do_not_make_a_picture_unreadable(late):
    packed = zlib.compress(b"x" * 3_000_000)
    texts = [
        chunk(b"zTXt", b"a\0\0" + packed),
        chunk(b"iTXt", b"a\0\1\0\0\0" + packed),
        *[chunk(b"tEXt", b"b\0" + b"x" * 10_000_000)] * 7,
        chunk(b"zTXt", b"c\0\7?"),
        chunk(b"iTXt", b"d\0\1\0\0\0?"),
    ]
    data = png(1, 1, 8, 0, b"\0\xff", b"" if late else b"".join(texts))
    assert read_picture(data[:-12] + b"".join(texts) + data[-12:] if late else data).min() == 1


def test_how_the_camera_was_held_is_read_from_a_text_of_imagemagick():
    exif = Image.Exif()
    exif[0x0112] = 6
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif.tobytes()):8}\n{exif.tobytes().hex()}\n", zip=True)
    x = read_picture(encoded(half("red", "blue"), pnginfo=info))
    assert x[0, 0, 8].min() > 0.8 and x[0, 2, 56].min() > 0.8


def test_a_damaged_note_of_the_camera_is_ignored(monkeypatch):
    def broken(picture):
        raise struct.error("unpack requires a buffer of 4 bytes")

    monkeypatch.setattr(ImageOps, "exif_transpose", broken)
    assert read_picture(encoded(half("red", "blue")))[0, 0, 32, 8] == 1


# ---------------------------------------------------------------- refusals


def refused(source, words):
    with warnings.catch_warnings(record=True) as said, pytest.raises(EduError, match=words) as caught:
        warnings.simplefilter("always")
        read_picture(source)
    assert not said, "Pillow's own warning adds nothing"
    assert "\n" not in str(caught.value) and " at 0x" not in str(caught.value) and str(caught.value).endswith(".")


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


@pytest.mark.parametrize(
    "data, words",
    [
        (b"<html><body>404</body></html>", "a web page"),
        (b"\n<!DOCTYPE html><p>", "a web page"),
        (b"<svg/>", "an SVG drawing"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<!DOCTYPE svg PUBLIC "a">\n<svg>', "an SVG drawing"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC picture"),
        (b"\0\0\0\x1cftypavif", "an AVIF picture"),
        (b"8BPS\0\1", "a Photoshop picture"),
        (b"hello", "not a readable picture"),
        (b"\0" * 5000, "not a readable picture"),
        (b"GIF89a", "not a readable picture"),
        (encoded(Image.new("RGB", (9, 9)), "BMP"), "a BMP picture"),
        (encoded(Image.new("RGB", (9, 9)), "TIFF"), "a TIFF picture"),
        (encoded(Image.new("RGB", (9, 9)), "AVIF"), "an AVIF picture"),
    ],
)
def test_something_else_is_refused_and_named(data, words):
    refused(data, f"is {words}.*; use a PNG, JPEG, WebP or GIF file")


def test_empty_and_missing(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    refused(tmp_path / "empty.png", "empty.png is an empty file")
    refused(b"", "is an empty file")
    refused(tmp_path / "caf\u00e9.png", "no file .*caf\u00e9.png")
    refused(tmp_path / ("x" * 999), "cannot be read .File name too long")
    refused(tmp_path, "is a folder; give the name of one picture")


def test_what_may_not_be_read_and_what_is_no_file(tmp_path, monkeypatch):
    refused(Image.new("RGB", (9, 9)), "not Image; save it to a file")
    refused(None, "not NoneType")

    def denied(self):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.png").write_bytes(b"x")
    monkeypatch.setattr(pathlib.Path, "read_bytes", denied)
    refused(tmp_path / "a.png", "a.png cannot be read .Permission denied.; copy it")


def test_a_huge_file_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda self: pytest.fail("it was read"))
    with open(tmp_path / "big.png", "wb") as file:
        file.truncate(2 * 10**9)
    refused(tmp_path / "big.png", "2,000,000,000 bytes; at most 150,000,000 are allowed: make it smaller")


@pytest.mark.parametrize("size", [0, -1, 10**6])
def test_a_wrong_size(size):
    with pytest.raises(EduError, match="must be 1 to 4096"):
        read_picture(encoded(half("red", "blue")), size)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_whatever_is_wrong_inside_is_one_sentence(kind):
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 3.5
    noise = np.random.default_rng(0)
    picture = Image.fromarray(noise.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    data = encoded(picture, kind) if kind == "GIF" else encoded(picture, kind, exif=exif, icc_profile=SRGB)
    for _ in range(300):
        bad = np.frombuffer(data, np.uint8).copy()
        bad[noise.integers(0, len(bad), 3)] = noise.choice([0, 1, 127, 255])
        try:
            read_picture(bad.tobytes())
        except EduError as error:
            assert "\n" not in str(error)


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
