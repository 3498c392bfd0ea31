"""The layout of a .safetensors file, read byte by byte: eight bytes with a length, a JSON header, and the tensors' bytes.

    b8 5e 02 00 00 00 00 00   the length N of the header, a whole number, its lowest byte first ("little-endian")
    {"name": {...}, ...}      N bytes of JSON: for each tensor its dtype, its shape, and where its bytes begin and end
    00 3c 9a b1 ...           the bytes of all tensors, one after another, without a gap

Nothing in it is executed. The format wants every value of the metadata to be a string, and the library refuses the whole file
for a number there; some programs write one. Here it is read as JSON text, and reported. Only the standard library and torch.
"""

import json
import math
import os
import pathlib
import shutil
from typing import NamedTuple

import torch

from ..errors import EduError

MOST_HEADER = 100_000_000  # bytes, the format's own limit
METADATA = "__metadata__"
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}
DTYPES = {
    "BOOL": torch.bool,
    "U8": torch.uint8,
    "I8": torch.int8,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
}


class Entry(NamedTuple):
    """What the header says of a tensor; start and end count bytes from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


class Layout(NamedTuple):
    """What a file holds, without the tensors themselves."""

    length: int  # N, the bytes of the JSON header
    tensors: dict[str, Entry]  # in the order of their bytes
    metadata: dict[str, str]
    not_text: tuple[str, ...]  # the entries of the metadata that were not strings, as the format wants them

    @property
    def begin(self) -> int:
        """Where the tensors' bytes begin in the file."""
        return 8 + self.length


def read(path: str | os.PathLike) -> Layout:
    """The layout of a .safetensors file: length, names, dtypes, shapes, places, metadata; the tensors are not read.

    Raises EduError for a length that the file cannot have, a header that is no JSON, and tensors that overlap, leave a gap,
    do not have the bytes of their shape, or do not fill the file. Twin: safetensors.safe_open.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = header_length(file.read(8), size)
            named = parsed(file.read(length))
    except OSError as error:
        raise EduError(f"{path} cannot be read ({error.strerror or error}): name a .safetensors file.") from error
    except ValueError as error:
        raise EduError(f"{path} is not a complete .safetensors file: {error}; copy or download it again.") from error
    metadata, not_text = texts(named.pop(METADATA, None))
    try:
        tensors = placed({name: entry(name, value) for name, value in named.items()}, size - 8 - length)
    except ValueError as error:
        raise EduError(f"{path} is not a complete .safetensors file: {error}; copy or download it again.") from error
    return Layout(length, tensors, metadata, not_text)


def header_length(first: bytes, size: int) -> int:
    """The whole number in the first eight bytes, the lowest first: b0 + 256 b1 + 65536 b2 + ... Raises ValueError if absurd."""
    if len(first) < 8:
        raise ValueError(f"it has {len(first)} bytes, and the length of the header alone takes 8")
    length = sum(byte * 256**i for i, byte in enumerate(first))
    if length > MOST_HEADER:
        raise ValueError(f"its first eight bytes say that the header has {length} bytes, where {MOST_HEADER} are allowed")
    if length > size - 8:
        raise ValueError(f"its first eight bytes say that the header has {length} bytes, and only {size - 8} follow")
    return length


def parsed(header: bytes) -> dict:
    """The JSON object in a header. Raises ValueError for anything else, and for a name that is there twice."""
    if not header.startswith(b"{"):
        raise ValueError("its header does not begin with {")
    try:
        return json.loads(header, object_pairs_hook=once)
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ValueError("its header is not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not JSON ({error.msg} at character {error.pos})") from error


def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A dict of JSON pairs. Raises ValueError for a name that is there twice: two programs could then read two files."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"its header has {next(n for n in names if names.count(n) > 1)[:100]!r} twice")
    return found


def entry(name: str, value: object) -> Entry:
    """The Entry of a tensor. Raises ValueError unless dtype, shape and offsets are given, and its bytes are those of its shape."""
    try:
        dtype, shape, (start, end) = (value[key] for key in ("dtype", "shape", "data_offsets"))  # type: ignore[index]
        whole = all(type(n) is int and n >= 0 for n in (*shape, start, end))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"it does not say dtype, shape and data_offsets of {name[:100]!r}") from error
    if not isinstance(dtype, str) or dtype not in BITS or not whole:
        raise ValueError(f"dtype, shape or data_offsets of {name[:100]!r} are impossible: {str(value)[:100]}")
    if 8 * (end - start) != BITS[dtype] * math.prod(shape):
        raise ValueError(f"{name[:100]!r} has {end - start} bytes, which does not fit {dtype} of the shape {list(shape)}")
    return Entry(dtype, tuple(shape), start, end)


def placed(tensors: dict[str, Entry], available: int) -> dict[str, Entry]:
    """The tensors in the order of their bytes. Raises ValueError unless each begins where the one before it ends."""
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].start, item[1].end)))
    place = 0
    for name, one in ordered.items():
        if one.start != place:
            what = "overlaps the tensor before it" if one.start < place else "leaves a gap before it"
            raise ValueError(f"{name[:100]!r} {what}: it begins at byte {one.start}, not {place}")
        place = one.end
    if place != available:
        raise ValueError(f"its tensors take {place} bytes, and {available} follow the header")
    return ordered


def texts(found: object) -> tuple[dict[str, str], tuple[str, ...]]:
    """The metadata with every value as a string, and the names of those that were not; a number becomes its JSON text."""
    if found is None:
        return {}, ()
    if not isinstance(found, dict):
        return {}, (METADATA,)
    as_text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in found.items()}
    return as_text, tuple(name for name, value in found.items() if not isinstance(value, str))


# ---------------------------------------------------------------- the tensors


def tensor(path: str | os.PathLike, name: str) -> torch.Tensor:
    """One tensor of a file, from its own bytes alone. Raises EduError for a name that the file does not have."""
    layout = read(path)
    if name not in layout.tensors:
        raise EduError(f"{path} has no tensor {name[:100]!r}; it has {', '.join(list(layout.tensors)[:3]) or 'none'} and so on.")
    return _tensor(path, layout, name)


def all_tensors(path: str | os.PathLike) -> dict[str, torch.Tensor]:
    """Every tensor of a file: {name: tensor}. Twin: safetensors.torch.load_file."""
    layout = read(path)
    return {name: _tensor(path, layout, name) for name in layout.tensors}


def _tensor(path, layout, name):
    one = layout.tensors[name]
    if one.dtype not in DTYPES:
        raise EduError(f"{path}: {name[:100]!r} is {one.dtype}, which is not read here; the safetensors library reads it.")
    with open(path, "rb") as file:
        file.seek(layout.begin + one.start)
        content = bytearray(file.read(one.end - one.start))
    if not content:  # a tensor without numbers
        return torch.empty(one.shape, dtype=DTYPES[one.dtype])
    return torch.frombuffer(content, dtype=DTYPES[one.dtype]).reshape(one.shape)


def parts(layout: Layout, depth: int = 1) -> dict[str, tuple[int, int]]:
    """{part: (number of tensors, bytes)}; a part is the first `depth` components of a name, such as "first_stage_model"."""
    found: dict[str, tuple[int, int]] = {}
    for name, one in layout.tensors.items():
        part = ".".join(name.split(".")[:depth])
        count, size = found.get(part, (0, 0))
        found[part] = count + 1, size + one.end - one.start
    return found


def rewritten(path: str | os.PathLike, target: str | os.PathLike) -> pathlib.Path:
    """Copy a file with every value of its metadata as a string, so that the library reads it; the tensors stay as they are."""
    layout = read(path)
    header: dict[str, object] = {METADATA: layout.metadata} if layout.metadata else {}
    for name, one in layout.tensors.items():
        header[name] = {"dtype": one.dtype, "shape": one.shape, "data_offsets": (one.start, one.end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of eight
    with open(path, "rb") as file, open(target, "wb") as copy:
        copy.write(len(text).to_bytes(8, "little") + text)
        file.seek(layout.begin)
        shutil.copyfileobj(file, copy)
    return pathlib.Path(target)
