"""Letters and numbers of lesson 17: what is in a file, and which files to open."""

from .choices import Choice, Number

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
