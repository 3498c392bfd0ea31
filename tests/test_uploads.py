"""A learner's own pictures: whatever the file says about place, date and people stays in it, and what is saved says nothing."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import edu_diffusion
from edu_diffusion.cli import infotext
from edu_diffusion.data import files, pictures
from edu_diffusion.errors import EduError

SECRET = "Mia Sommer, 12 Garden Lane"
MARKS = (b"Mia", b"Garden", b"Exif", b"eXIf", b"GPS", b"tEXt", b"iTXt", b"zTXt", b"tIME", b"xmp", b"iCCP", b"pHYs", b"cHRM")
KINDS = ("PNG", "JPEG", "WEBP", "GIF")


def photo(kind):
    """The bytes of a picture, red on the left and blue on the right, that says where and by whom it was taken."""
    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20, 0] = pixels[:, 20:, 2] = 255
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = SECRET
    exif[0x8825] = {1: "N", 2: (50.0, 1.0, 2.0), 3: "E", 4: (8.0, 1.0, 2.0)}
    exif[0x0112] = 6  # the camera was held upright
    info = PngInfo()
    info.add_text("Author", SECRET)
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{SECRET}</x:xmpmeta>")
    more = {
        "PNG": {"exif": exif, "pnginfo": info, "dpi": (300, 300)},
        "JPEG": {"exif": exif, "comment": SECRET, "xmp": SECRET.encode(), "quality": 95, "subsampling": 0},
        "WEBP": {"exif": exif, "xmp": SECRET.encode(), "lossless": True},
        "GIF": {"comment": SECRET},
    }[kind]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **more)
    return file.getvalue()


def says_nothing(data):
    chunks = re.findall(rb"IHDR|PLTE|IDAT|IEND", data)
    return not any(mark in data for mark in MARKS) and set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_kept_without_what_its_file_says(kind, tmp_path):
    data = photo(kind)
    assert b"Mia" in data and not says_nothing(data), "the file itself says it"
    source = tmp_path / f"Mia Sommer.{kind.lower()}"
    source.write_bytes(data)
    path = pictures.keep_picture(source, tmp_path / "my_pictures")
    assert path == tmp_path / "my_pictures" / "picture-1.png" and says_nothing(path.read_bytes())
    kept = Image.open(path)
    assert kept.mode == "RGB" and not kept.info and not kept.getexif()
    turned = kind != "GIF"  # a GIF cannot say how the camera was held
    assert kept.size == ((20, 40) if turned else (40, 20)), "what turns the picture has turned the pixels"
    first, last = kept.getpixel((5, 5)), kept.getpixel((kept.width - 5, kept.height - 5))
    assert first[0] > 200 > 60 > first[2] and last[2] > 200 > 60 > last[0]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_numbers_only_and_the_same_as_of_what_is_kept(kind, tmp_path):
    read = pictures.read_picture(photo(kind), 20)
    assert type(read) is torch.Tensor and not vars(read)
    assert torch.equal(read, pictures.read_picture(pictures.keep_picture(photo(kind), tmp_path), 20))


def test_a_picture_is_kept_once_and_another_beside_it(tmp_path):
    one, two = photo("PNG"), photo("GIF")
    paths = [pictures.keep_picture(data, tmp_path).name for data in (one, two, one, two)]
    assert paths == ["picture-1.png", "picture-2.png"] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture-1.png", "picture-2.png"]


def test_a_large_picture_is_reduced(tmp_path):
    file = io.BytesIO()
    Image.new("RGB", (300, 150)).save(file, "PNG")
    assert Image.open(io.BytesIO(pictures.bare(file.getvalue(), 100))).size == (100, 50)


def test_what_cannot_be_kept_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EduError, match="cannot be kept in .*name another folder"):
        pictures.keep_picture(photo("PNG"), tmp_path / "file")
    with pytest.raises(EduError, match="not a readable picture"):
        pictures.keep_picture(b"no picture", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_what_generate_saves_holds_the_settings_and_nothing_of_this_computer(tmp_path):
    settings = {"prompt": "a cat", "negative": "", "seed": 7, "steps": 20, "guidance": 4.5, "model": "base", "hash": "0123456789"}
    infotext.write(tmp_path / "p.png", np.zeros((8, 8, 3), np.uint8), settings)
    data = (tmp_path / "p.png").read_bytes()
    assert set(Image.open(io.BytesIO(data)).info) == {"parameters"}
    assert not any(mark in data for mark in MARKS if mark != b"tEXt") and str(Path.home()).encode() not in data


def test_an_animation_has_no_comment():
    data = pictures.animation(torch.zeros(2, 3, 8, 8))
    assert b"\x21\xfe" not in data and set(Image.open(io.BytesIO(data)).info) <= {
        "version",
        "background",
        "loop",
        "duration",
        "extension",
    }


@pytest.mark.skipif(not shutil.which("git") or not (files.PACKAGE.parent / ".git").exists(), reason="no git repository")
@pytest.mark.parametrize("path", ["work/my_pictures/picture-1.png", "notebooks/my_pictures/picture-1.png", "work/Mia.jpg"])
def test_git_ignores_the_folders_of_learners(path):
    root = Path(edu_diffusion.__file__).parents[1]
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=root).returncode == 0
