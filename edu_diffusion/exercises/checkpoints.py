"""Questions of lesson 17: what is in a file, which files to open, and a training that goes on; merged models: merging.py."""

import json

import torch

from . import merging
from .checkpoints_choices import CANARY, CHECKPOINT_SIZE, HEADER_LENGTH, MODEL_HASH, RESUMED, WHOLE_FILE
from .exercise import Exercise

# ---------------------------------------------------------------- a file, byte by byte


def read_tensor(content, name):
    """The tensor called `name` in a .safetensors file whose tensors are all in half precision. content: the file's bytes."""
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + length])[name]
    start, end = entry["data_offsets"]
    data = content[8 + length + start : 8 + length + end]
    return torch.frombuffer(bytearray(data), dtype=torch.float16).reshape(entry["shape"])


def read_as(begin=lambda length: 8 + length, dtype=torch.float16, shape=list, first=False, until=None):
    """read_tensor with a mistake: where the tensors begin, their kind, their shape, always the first one, or where one ends."""

    def mistaken(content, name):
        length = int.from_bytes(content[:8], "little")
        entry = json.loads(content[8 : 8 + length])[name]
        start, end = entry["data_offsets"]
        start, end = (0, end - start) if first else (start, end)
        data = content[begin(length) + start : until(length, start, end) if until else begin(length) + end]
        return torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape(entry["shape"]))

    return mistaken


def in_one_file(tensors, metadata):
    """The bytes of a .safetensors file. tensors: {name: tensor}, in the order of their bytes; the header has them reversed."""
    place, header = 0, {}
    for name, value in tensors.items():
        end = place + value.numel() * value.element_size()
        header[name] = {"dtype": "F16", "shape": list(value.shape), "data_offsets": [place, end]}
        place = end
    text = (
        json.dumps({"__metadata__": metadata, **dict(reversed(header.items()))}).encode() + b" " * 7
    )  # allowed; `}` and seven spaces are no NaN
    return len(text).to_bytes(8, "little") + text + b"".join(t.numpy().tobytes() for t in tensors.values())


def stored():
    """Arguments (content, name): two files, one with a long header; a tensor that is not asked for is the last in each, so that
    whoever begins too late still finds bytes.
    """
    rng = torch.Generator().manual_seed(18)
    draw = lambda *shape: torch.randn(shape, generator=rng).half()
    one = in_one_file({"conv.weight": draw(2, 3), "conv.bias": draw(3), "last": draw(64)}, {"format": "pt"})
    two = in_one_file(
        {"norm.weight": draw(4), "proj.weight": draw(4, 4), "last": draw(64)}, {"format": "pt", "about": "a model " * 40}
    )
    return [(one, "conv.bias"), (one, "conv.weight"), (two, "proj.weight"), (two, "norm.weight")]


READ_TENSOR = Exercise(
    "read_tensor",
    read_tensor,
    stored,
    (
        (
            "the offsets count from the end of the header, and this takes them from the beginning of the file.",
            read_as(begin=lambda length: 0),
        ),
        (
            "this begins 8 bytes too early: before the tensors come the header and also the 8 bytes with its length.",
            read_as(begin=lambda length: length),
        ),
        ("the tensors begin after the header; this skips only the 8 bytes before it.", read_as(begin=lambda length: 8)),
        ("this begins 8 bytes too late: the length field is skipped twice.", read_as(begin=lambda length: 16 + length)),
        ("this begins one byte too early.", read_as(begin=lambda length: 7 + length)),
        ("this begins one byte too late.", read_as(begin=lambda length: 9 + length)),
        (
            "every name gives the numbers at the beginning of the tensors; where a tensor begins stands in its data_offsets.",
            read_as(first=True),
        ),
        ("the shape is missing: the numbers are right, in one long row.", read_as(shape=lambda shape: [-1])),
        ("the shape is reversed.", read_as(shape=lambda shape: shape[::-1])),
        ("the kind F16 is torch.float16. torch.bfloat16 splits the same 16 bits in another way.", read_as(dtype=torch.bfloat16)),
        ("the bytes are read as whole numbers; F16 is torch.float16.", read_as(dtype=torch.int16)),
        (
            "these are the single bytes, and two of them make one number: torch.frombuffer with torch.float16 joins them.",
            read_as(dtype=torch.uint8, shape=lambda shape: [-1]),
        ),
        (
            "these are too many bytes: the second offset is where the tensor ends, not how long it is.",
            read_as(until=lambda length, start, end: 8 + length + start + end),
        ),
        (
            "the slice is empty: does its end count from the end of the header, too, as its beginning does?",
            read_as(until=lambda length, start, end: end),
        ),
    ),
    "it reads any tensor of such a file, without any library that knows the format.",
    lines=(
        "def my_read_tensor(content, name):",
        "    import json",
        '    length = int.from_bytes(content[:8], "little")',
        "    entry = json.loads(content[8 : 8 + length])[name]",
        '    start, end = entry["data_offsets"]',
        "    data = content[8 + length + start : 8 + length + end]",
        "    numbers = torch.frombuffer(bytearray(data), dtype=torch.float16)",
        '    return numbers.reshape(entry["shape"])',
    ),
)


# ---------------------------------------------------------------- a pickle


ALLOWED = {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "torch.HalfStorage"}
FORBIDDEN = ("os.", "posix.", "subprocess.", "eval", "exec", "system", "open", "socket", "shutil")
SPAWN = "multiprocessing.util.spawnv_passfds"


def may_open(names, allowed):
    """Whether a file that imports these names may be opened: all of them are on the list."""
    return all(name in allowed for name in names)


def files():
    """Arguments (names, allowed): what files would import."""
    good = sorted(ALLOWED)
    found = [
        good,
        good[:2],
        [*good, "builtins.eval"],
        ["io.open", *good],
        [*good[:2], SPAWN, *good[2:]],
        [SPAWN],
        [*good, "torch.FloatStorage.from_file"],
        [*good[1:], "os.system"],
        ["torch.hub.load", *good],
        [*good, "evil._rebuild_tensor_v2"],
        ["torch"],
    ]
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    return [(list(found[i]), set(ALLOWED)) for i in order]


def empty_files():
    """Arguments (names, allowed): a file that imports nothing."""
    return [([], set(ALLOWED))]


MAY_OPEN = Exercise(
    "may_open",
    may_open,
    files,
    (
        (
            "one allowed name is enough here, and a file with code has allowed names, too: every name must be on the list.",
            lambda names, allowed: any(name in allowed for name in names),
        ),
        (
            "one allowed name makes it refuse the file; a name that is *not* on the list must do that.",
            lambda names, allowed: not any(name in allowed for name in names),
        ),
        (
            "this is a list of what is forbidden. It passes multiprocessing.util.spawnv_passfds, which starts a program, and the "
            "next file will have a name that is on no such list. Compare with `allowed`.",
            lambda names, allowed: not any(word in name for name in names for word in FORBIDDEN),
        ),
        ("it is the other way round: the result must be True for a file that may be opened.", lambda n, a: not may_open(n, a)),
        (
            "a module is not enough: torch.hub.load begins with torch as well, and it downloads code and runs it.",
            lambda names, allowed: all(name.split(".")[0] in {a.split(".")[0] for a in allowed} for name in names),
        ),
        (
            "the last part of a name is not enough: a function of the same name in another module may do anything.",
            lambda names, allowed: all(name.split(".")[-1] in {a.split(".")[-1] for a in allowed} for name in names),
        ),
        (
            "a part of an allowed name passes here, such as torch alone; compare whole names.",
            lambda names, allowed: all(name in " ".join(allowed) for name in names),
        ),
        ("a file need not import all that is allowed; it may just import nothing else.", lambda n, a: set(n) == a),
        ("a file that imports all that is allowed may be opened, too: <=, not <.", lambda n, a: set(n) < a),
        (
            "this asks whether the file imports all that is allowed; it may also import less, and never more.",
            lambda n, a: a <= set(n),
        ),
        ("only the first name is looked at.", lambda names, allowed: all(name in allowed for name in names[:1])),
        ("only the last name is looked at.", lambda names, allowed: all(name in allowed for name in names[-1:])),
        (
            "the beginning of a name is not enough: what follows may be a function that does something else. Compare whole names.",
            lambda names, allowed: all(name.startswith(tuple(allowed)) for name in names),
        ),
        ("every file is refused.", lambda names, allowed: False),
        ("every file passes.", lambda names, allowed: True),
    ),
    "a file passes only if every name is on the list, whatever somebody may think of next.",
    finer=empty_files,
    note="Yours does not return True for a file that imports nothing; such a file can do nothing, so it may be opened.",
)

# ---------------------------------------------------------------- the hash, and the state of a training


EXERCISES = [HEADER_LENGTH, READ_TENSOR, WHOLE_FILE, CANARY, MAY_OPEN, MODEL_HASH, CHECKPOINT_SIZE, RESUMED, *merging.EXERCISES]
