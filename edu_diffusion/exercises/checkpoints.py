"""Questions of lesson 17: what is in a file, which files to open, and a training that goes on; merged models: merging.py."""

import json

import torch

from . import merging
from .choices import Choice, Number
from .exercise import Exercise

# ---------------------------------------------------------------- a file, byte by byte


def read_tensor(content, name):
    """The tensor called `name` in a .safetensors file whose tensors are all in half precision. content: the file's bytes."""
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8 : 8 + length])[name]
    start, end = entry["data_offsets"]
    data = content[8 + length + start : 8 + length + end]
    return torch.frombuffer(bytearray(data), dtype=torch.float16).reshape(entry["shape"])


def read_as(begin=lambda length: 8 + length, dtype=torch.float16, shape=list, first=False):
    """read_tensor with a mistake: where the tensors begin, of which kind they are, their shape, or always the first one."""

    def mistaken(content, name):
        length = int.from_bytes(content[:8], "little")
        entry = json.loads(content[8 : 8 + length])[name]
        start, end = entry["data_offsets"]
        start, end = (0, end - start) if first else (start, end)
        data = content[begin(length) + start : begin(length) + end]
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


HEADER_LENGTH = Number(
    "header_length",
    0xA0 + 256 * 0x91,
    (
        ("this takes the bytes in the other order; the first byte is the lowest, so it counts once.", 256 * 0xA0 + 0x91),
        ("the bytes are added up here; each is worth 256 times the one before it.", 0xA0 + 0x91),
        ("this is the second byte's share alone; add the first byte.", 256 * 0x91),
        ("this is the first byte alone; the second one counts 256 times.", 0xA0),
        ("this is the second byte alone; it counts 256 times, and the first one is added.", 0x91),
        ("a byte has 256 values and not 255, so the second one counts 256 times.", 0xA0 + 255 * 0x91),
        ("a byte is worth 256 times the one before it; 100 would be right for two decimal digits.", 0xA0 + 100 * 0x91),
        ("one hexadecimal digit has 16 values, but a byte has two digits: 16 times 16.", 0xA0 + 16 * 0x91),
        ("the eight bytes of the number itself do not count as part of the header.", 8 + 0xA0 + 256 * 0x91),
        ("this reads all eight bytes with the highest first; here the lowest is first.", 0xA091 * 256**6),
    ),
    "160 + 145 · 256 = 37,280. The header is that many bytes of text, and the first tensor begins after it.",
    tolerance=1e-6,
)

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

WHOLE_FILE = Number(
    "whole_file",
    8 + 0xC8 + 256 * 0x01 + 6144,
    (
        ("offsets count from the end of the header; before it come the header itself and the 8 bytes with its length.", 6144),
        ("the header is missing: its length stands in the first eight bytes.", 8 + 6144),
        ("the 8 bytes before the header are part of the file, too.", 456 + 6144),
        ("this reads the length with the highest byte first; here the lowest is first.", 8 + 256 * 0xC8 + 1 + 6144),
        ("the second byte of the length counts 256 times.", 8 + 0xC8 + 1 + 6144),
        ("the second byte of the length is missing; it counts 256 times.", 8 + 0xC8 + 6144),
        ("c8 is a hexadecimal number: 12 times 16, plus 8.", 8 + 208 + 256 + 6144),
        ("this ends where the last tensor begins; its data_offsets say where it begins and where it ends.", 8 + 456 + 4096),
        ("this counts the last tensor alone; the others lie before it.", 8 + 456 + 6144 - 4096),
        ("the two offsets are places, not sizes: do not add them up.", 8 + 456 + 4096 + 6144),
        ("these bytes come before the tensors; where do the tensors end?", 8 + 456),
        ("so many bytes are missing; the question asks for the whole file.", 8 + 456 + 6144 - 5000),
        ("this is what is on the disk; what does the file itself say?", 5000),
    ),
    "8 bytes, a header of 200 + 256 = 456, and tensors up to offset 6,144. So anybody can see that this file is not complete, "
    "and the library refuses it.",
    tolerance=1e-6,
)

# ---------------------------------------------------------------- a pickle

CANARY = Choice(
    "canary",
    "C",
    {
        "A": "the first line of the output says that a file appeared. The call of open() is not in our program, it is an "
        "instruction in the file, and loading a pickle means carrying out its instructions.",
        "B": "torch.load with weights_only=True does read pickles, but by an interpreter of its own, which imports only names "
        "on its list. Its line says that it refused.",
        "C": "pickle.load carries out whatever the file says. Two of the others compare the names with a list of what weights need "
        "before anything is imported, and ed.load refuses every pickle.",
        "D": "only one line of the output speaks of a file that appeared. A reader is free to look at the instructions before it "
        "carries out any, and three of the four do.",
    },
    prediction=True,
)

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

MODEL_HASH = Choice(
    "model_hash",
    "B",
    {
        "A": "the name is not in the file, it is in the folder: the bytes are the same, and so is the hash.",
        "B": "the hash is computed from the bytes of the file, and from nothing else. A word of metadata or another precision are "
        "other bytes, even if every image stays the same.",
        "C": "the metadata are a part of the file's header, so they are bytes like all others: that hash is another one.",
        "D": "the images are indeed the same, but the hash does not look at images or weights, only at bytes.",
    },
    prediction=True,
)

CHECKPOINT_SIZE = Number(
    "checkpoint_size",
    860e6 * 4 * 4 / 1e9,
    (
        ("this is the finished model, one number of 2 bytes for each weight.", 1.72),
        ("this is one of the four parts in full precision; a number takes 4 bytes, and there are four parts.", 3.44),
        ("these are four parts in half precision; the training stores 4 bytes for each number.", 6.88),
        ("this is three parts; the table has four.", 10.32),
        ("the unit is wrong: a gigabyte is 1,000 megabytes.", 13760),
        ("the unit is wrong: a gigabyte is 1,000,000,000 bytes.", 13.76e9),
        ("these are the weights, in thousand millions; each has four numbers here, of 4 bytes each.", 0.86),
        ("4 bytes are 32 bits; in this result every number takes 8 bytes.", 27.52),
        ("this adds the finished model; the question asks for the training checkpoint alone.", 15.48),
        ("this is how many times larger it is; the question asks for gigabytes.", 8),
    ),
    "860 million weights, four numbers for each, 4 bytes for each number: 13.76 GB, eight times the finished model.",
    tolerance=0.005,
)

RESUMED = Choice(
    "resumed",
    "A",
    {
        "A": "the step decides the data, the noise and the learning rate, and the file holds everything else that the next step "
        "depends on. So there is no difference at all, not even in the last bit.",
        "B": "nothing is rounded: the state is stored in full precision, as it was in memory. The largest difference is exactly 0.",
        "C": "this would be so if the random numbers went on from wherever they were. Here each step makes its own generator from "
        "its number, so step 30 draws the same noise in any process.",
        "D": "the averages of Adam are in the file as well, see the table. Without them the first steps would indeed differ.",
    },
    prediction=True,
)

EXERCISES = [HEADER_LENGTH, READ_TENSOR, WHOLE_FILE, CANARY, MAY_OPEN, MODEL_HASH, CHECKPOINT_SIZE, RESUMED, *merging.EXERCISES]
