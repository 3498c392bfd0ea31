"""What a pickle would do, read from its instructions (opcodes) and never executed.

A pickle is a small program. Two of its instructions import whatever they name, and others call it: opening one can run any
program. So the names that a file imports are compared with a list of what weights need. Only a list of what is *allowed* helps:
a list of what is forbidden lacks the one that nobody thought of, and there are thousands of functions that start a program.

Checkpoints of torch are read in their three forms: a zip file with a pickle in it (.ckpt, .pt, .bin since 2020), five pickles
one after another with the numbers behind them (before), and a bare pickle. Standard library only.
"""

import io
import itertools
import os
import pickletools
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import EduError

MOST_BYTES = 64_000_000  # of a pickle; the one of Stable Diffusion 1.5 has less than one million
MOST_OPCODES = 5_000_000
LEGACY = 0x1950A86A20F9469CFC6C  # the number that begins a checkpoint of the old form
LEGACY_PICKLES = 5  # that number, a version, the system, the object, the keys of its numbers
TEXT = {"UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"}
PUT = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
GET = {"GET", "BINGET", "LONG_BINGET"}
EXTENSION = {"EXT1", "EXT2", "EXT4"}
UNKNOWN = "?"
PICKLES = {".bin", ".ckpt", ".pkl", ".pt", ".pth"}  # the usual endings of such files


class Global(NamedTuple):
    """A name that a pickle imports."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


KINDS = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
TYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
ALLOWED = {
    Global("collections", "OrderedDict"),
    Global("torch", "Size"),
    Global("torch", "device"),
    Global("torch._utils", "_rebuild_tensor"),
    Global("torch._utils", "_rebuild_tensor_v2"),
    Global("torch._utils", "_rebuild_parameter"),
    Global("torch.nn.parameter", "Parameter"),
    Global("torch.storage", "UntypedStorage"),
    *(Global("torch", f"{kind}Storage") for kind in KINDS),
    *(Global("torch", name) for name in TYPES),
}


class Opcode(NamedTuple):
    """One instruction: its place in the pickle, its name, and its argument."""

    place: int
    name: str
    argument: object


def opcodes(path: str | os.PathLike) -> list[Opcode]:
    """The instructions of all pickles in a file, in order; none is executed. Twin: pickletools.dis.

    Raises EduError for a file that is no pickle and holds none, or that is damaged.
    """
    try:
        return [code for program in programs(path) for code in program]
    except OSError as error:
        raise EduError(f"{path} cannot be read ({error.strerror or error}): name a file.") from error


def imports(path: str | os.PathLike) -> list[Global]:
    """The names that opening a file would import, sorted; without executing any of it.

    A name that only execution would tell is Global("?", "?"), which is never allowed. Raises EduError like `opcodes`.
    Twin: torch.serialization.get_unsafe_globals_in_checkpoint, which leaves out the allowed ones.
    """
    try:
        return sorted({name for program in programs(path) for name in imported(program)})
    except OSError as error:
        raise EduError(f"{path} cannot be read ({error.strerror or error}): name a file.") from error


def not_allowed(path: str | os.PathLike) -> list[Global]:
    """The names that opening a file would import and that weights do not need, sorted."""
    return [name for name in imports(path) if name not in ALLOWED]


def verdict(path: str | os.PathLike) -> str:
    """One sentence: what opening a file would import, and whether to open it. Never raises EduError: what cannot be read is not
    to be opened either.
    """
    try:
        found, bad = imports(path), not_allowed(path)
    except EduError as error:
        return f"{str(error).rstrip('.')}: do not open it."
    if bad:
        return f"{path} would import {few(bad)}, which weights do not need: opening it could run any code, so do not open it."
    names = f"only names that weights need ({few(found)})" if found else "nothing"
    return f"{path} imports {names}: torch.load(path, weights_only=True) opens it, and keeps to such a list as well."


def few(names: list[Global]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join("a name that only execution would tell" if n.name == UNKNOWN else str(n)[:100] for n in names[:4]) + more


# ---------------------------------------------------------------- one program


def imported(program: list[Opcode]) -> Iterator[Global]:
    """The names that a pickle imports: an argument of GLOBAL or INST, or the two strings before STACK_GLOBAL."""
    memo: dict[object, str] = {}
    recent: list[str] = []  # the last values put on the stack, as strings; UNKNOWN for all others
    for code in program:
        if code.name in TEXT:
            recent.append(str(code.argument))
        elif code.name in GET:
            recent.append(memo.get(code.argument, UNKNOWN))
        elif code.name in PUT:
            memo[len(memo) if code.name == "MEMOIZE" else code.argument] = recent[-1] if recent else UNKNOWN
        else:
            yield from named(code, recent)
            recent = []  # whatever it did, the values before it are not surely on top of the stack
        recent = recent[-2:]


def named(code: Opcode, recent: list[str]) -> Iterator[Global]:
    """The name that one instruction imports, if it does. recent: the last strings put on the stack."""
    if code.name in ("GLOBAL", "INST"):
        module, _, name = str(code.argument).partition(" ")
        yield Global(module, name)
    elif code.name == "STACK_GLOBAL":
        yield Global(*recent) if len(recent) == 2 and UNKNOWN not in recent else Global(UNKNOWN, UNKNOWN)
    elif code.name in EXTENSION:  # a number that stands for a name which some program registered
        yield Global("copyreg", f"extension {code.argument}")


# ---------------------------------------------------------------- the programs in a file


def programs(path: str | os.PathLike) -> list[list[Opcode]]:
    """Every pickle in a file, as its instructions."""
    with open(path, "rb") as file:
        if file.read(4) == b"PK\x03\x04":  # torch decides by the same four bytes: a zip file may also be appended to a pickle
            return zipped(path)
        file.seek(0)
        return in_a_row(file.read(MOST_BYTES), path)


def zipped(path: str | os.PathLike) -> list[list[Opcode]]:
    """The pickles in a zip file of torch. Raises EduError for two files of one name, of which other readers may take the other."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            inside = [info for info in archive.infolist() if info.filename.lower().endswith((".pkl", ".pickle"))]
            if not inside or len({name.lower() for name in names}) < len(names):
                raise EduError(f"{path} is a zip file {'with two files of one name' if inside else 'without a pickle in it'}.")
            if any(info.file_size > MOST_BYTES for info in inside):
                raise EduError(f"{path} has a pickle of more than {MOST_BYTES // 10**6} MB in it, which is not read.")
            contents = [archive.read(info) for info in inside]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        if isinstance(error, EduError):
            raise
        raise EduError(f"{path} is a zip file that cannot be read ({error}).") from error
    return [program for content in contents for program in in_a_row(content, path)]


def in_a_row(content: bytes, path: str | os.PathLike) -> list[list[Opcode]]:
    """The pickles that follow one another in some bytes; after the fifth of torch's old form come the numbers."""
    stream, found = io.BytesIO(content), []
    while stream.tell() < len(content):
        found.append(program(stream, path))
        if len(found) == LEGACY_PICKLES and any(code.argument == LEGACY for code in found[0]):
            break
    if not found:
        raise EduError(f"{path} is empty.")
    return found


def program(stream: io.BytesIO, path: str | os.PathLike) -> list[Opcode]:
    """The instructions of the pickle at the stream's place, up to its STOP. Raises EduError for bytes that are none."""
    try:
        codes = itertools.islice(pickletools.genops(stream), MOST_OPCODES)
        found = [Opcode(place or 0, code.name, argument) for code, argument, place in codes]
    except Exception as error:  # pickletools raises whatever a damaged argument causes
        raise EduError(f"{path} is not a pickle, or a damaged one ({str(error)[:100]}).") from error
    if found[-1].name != "STOP":
        raise EduError(f"{path} has a pickle of more than {MOST_OPCODES} instructions, which is not read.")
    return found
