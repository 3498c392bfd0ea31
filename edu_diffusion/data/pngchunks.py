"""The chunks of a PNG file, read one by one: a text without the pixels, or the pixels without what Pillow stumbles on.

A text may be compressed, come after the pixels, or expand to gigabytes. Standard library only.
"""

import io
import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import EduError

MAGIC = b"\x89PNG\r\n\x1a\n"
MOST_TEXT = 4_000_000  # bytes; the settings of a picture take some hundred
MOST_PROFILE = 1_000_000  # bytes to which Pillow expands a colour profile at most
KEYWORD = 80  # bytes with the null at the end
DAMAGED = (EOFError, zlib.error, UnicodeDecodeError)


def text(path: str | os.PathLike, key: str) -> str | None:
    """The text called `key` in a PNG file, wherever it is; None where there is none. Only that text is loaded.

    Raises EduError when the file is missing, no PNG, or damaged before the text, and for a text of over 4 MB.
    """
    if os.path.isdir(path):
        raise EduError(f"{path} is a folder; name a PNG file in it")
    try:
        with open(path, "rb") as file:
            return _text(file, key.encode("latin-1"), path)
    except FileNotFoundError as error:
        raise EduError(f"there is no file {path}") from error
    except OSError as error:
        raise EduError(f"{path} cannot be read ({error.strerror or error})") from error
    except DAMAGED as error:
        raise EduError(f"{path} is not a readable PNG picture: it is damaged or incomplete; save or download it again") from error


def _text(file, key, path):
    if file.read(len(MAGIC)) != MAGIC:
        raise EduError(f"{path} is not a readable PNG picture; other kinds of files hold no settings that are read here")
    for kind, place, length in chunks(file):
        if kind in UNPACK and file.read(min(KEYWORD, length)).partition(b"\0")[0] == key:
            unpacked = UNPACK[kind](body(file, place, length)) if length <= MOST_TEXT else None
            if unpacked is None:
                raise EduError(
                    f"{path} holds a text of over {MOST_TEXT // 10**6} MB where its settings should be, "
                    f"which is not read; give the prompt itself"
                )
            return unpacked
    return None


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, place, length) of the body of each chunk, with the file at that place. EOFError where the file is cut off."""
    end, start, kind = file.seek(0, io.SEEK_END), len(MAGIC), b""
    while kind != b"IEND":
        file.seek(start)
        header = file.read(8)
        if len(header) < 8 or start + 12 + int.from_bytes(header[:4], "big") > end:
            raise EOFError("the file is cut off")
        length, kind = struct.unpack(">I4s", header)
        yield kind, start + 8, length
        start += 12 + length


def body(file: BinaryIO, place: int, length: int) -> bytes:
    """What a chunk holds. Raises EOFError where its checksum does not fit."""
    file.seek(place - 4)
    data, checksum = file.read(4 + length), file.read(4)
    if zlib.crc32(data) != int.from_bytes(checksum, "big"):
        raise EOFError("a checksum does not fit")
    return data[4:]


def expanded(data: bytes, most: int) -> bytes | None:
    """Decompress; None for more than `most` bytes, which are never unpacked. Raises zlib.error or EOFError for damaged data."""
    reader = zlib.decompressobj()
    found = reader.decompress(data, most + 1)
    if len(found) > most:
        return None
    if not reader.eof:
        raise EOFError("the compressed data are cut off")
    return found


def _plain(data):
    return data.partition(b"\0")[2].decode("latin-1")


def _compressed(data):
    found = expanded(data.partition(b"\0")[2][1:], MOST_TEXT)
    return None if found is None else found.decode("latin-1")


def _international(data):
    """The keyword is followed by: is it compressed, the method, a language, the keyword in that language, the text."""
    rest = data.partition(b"\0")[2]
    value = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    found = expanded(value, MOST_TEXT) if rest[:1] == b"\1" else value
    return None if found is None else found.decode("utf-8")


UNPACK = {b"tEXt": _plain, b"zTXt": _compressed, b"iTXt": _international}


def lean(data: bytes) -> bytes:
    """A PNG without its texts, and without a colour profile that cannot be unpacked: Pillow would refuse the picture for them.

    A text of ImageMagick that holds how the camera was turned stays. Anything but a whole PNG is returned unchanged.
    """
    if not data.startswith(MAGIC):
        return data
    file = io.BytesIO(data)
    try:
        places = [(place - 8, place + length + 4) for kind, place, length in chunks(file) if _needed(file, kind, place, length)]
    except EOFError:
        return data
    return MAGIC + b"".join(data[start:end] for start, end in places)


def _needed(file, kind, place, length):
    if kind == b"iCCP":
        return _profile(file, place, length)
    return kind not in UNPACK or (length <= MOST_TEXT and file.read(11) == b"Raw profile")


def _profile(file, place, length):
    """Whether a colour profile can be unpacked."""
    try:
        data = body(file, place, length).partition(b"\0")[2]
        return data[:1] == b"\0" and expanded(data[1:], MOST_PROFILE) is not None
    except DAMAGED:
        return False
