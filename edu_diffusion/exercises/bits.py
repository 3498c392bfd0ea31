"""Questions of lesson 16: weights in 8 bits, two codes in a byte, what fewer bits cost, and what should keep all of them."""

import torch

from . import memory
from .bits_choices import HALF_BITS, KEEP_FULL, OUTLIER, XL_BYTES
from .exercise import Exercise


def int8_rows(W):
    """Round each row to 255 even levels, of which the outermost is the largest weight of the row."""
    s = scale(W)
    return s * (W / s).round()


def scale(W):
    return W.abs().amax(1, keepdim=True) / 127


def scaled(W, s, low=-torch.inf, high=torch.inf):
    return s * (W / s).round().clamp(low, high)


def clipped(words, s):
    """The pairs of one wrong scale: with all codes, and with those kept that int8 has."""
    limits = ((-torch.inf, torch.inf), (-127, 127), (-128, 127))
    return [(words, lambda W, ends=ends: scaled(W, s(W), *ends)) for ends in limits]


def with_offset(W, steps):
    low = W.amin(1, keepdim=True)
    return low + scaled(W - low, (W.amax(1, keepdim=True) - low) / steps)


def matrices():
    """Arguments (W,): rows of different sizes, whose largest weight is negative as often as positive."""
    rng = torch.Generator().manual_seed(16)
    sizes = lambda n: torch.linspace(0.5, 3, n)[:, None]
    return [(torch.randn(rows, columns, generator=rng) * sizes(rows),) for rows, columns in ((6, 6), (4, 9))]


def unpack4(packed):
    """Take two codes out of each byte, the first one from its upper half."""
    return torch.stack([packed // 16, packed % 16], 1).flatten()


def packets():
    """Arguments (packed,): bytes, some with a large upper half, some with a large lower half."""
    rng = torch.Generator().manual_seed(17)
    return [(torch.randint(256, (n,), generator=rng, dtype=torch.uint8),) for n in (5, 8)]


def both(high, low):
    return torch.stack([high, low], 1).flatten()


INT8_ROWS = Exercise(
    "int8_rows",
    int8_rows,
    matrices,
    (
        (
            "all rows share one scale here; each row has its own, so that a row of small weights is not lost beside a large one.",
            lambda W: scaled(W, W.abs().max() / 127),
        ),
        (
            "each column has a scale here, and each row should: take the maximum along dimension 1, and keep the dimension.",
            lambda W: scaled(W, W.abs().amax(0, keepdim=True) / 127),
        ),
        *clipped(
            "the sign must be ignored: in some rows the weight farthest from 0 is negative, and it must be reached as well.",
            lambda W: W.amax(1, keepdim=True) / 127,
        ),
        *clipped("the codes end at 127, not at 128.", lambda W: W.abs().amax(1, keepdim=True) / 128),
        *clipped(
            "from -127 to 127 there are 255 levels, but only 254 steps between them, 127 on each side of zero.",
            lambda W: W.abs().amax(1, keepdim=True) / 127.5,
        ),
        (
            "the codes reach 127 on both sides of zero, so that from zero to the largest weight there are 127 steps.",
            lambda W: scaled(W, W.abs().amax(1, keepdim=True) / 255),
        ),
        *(
            pair
            for steps in (254, 255)
            for pair in clipped(
                "this spreads the codes from the smallest to the largest weight; here zero is in the middle, and the largest "
                "weight without its sign decides.",
                lambda W, steps=steps: (W.amax(1, keepdim=True) - W.amin(1, keepdim=True)) / steps,
            )
        ),
        *(
            (
                "these levels begin at the smallest weight of the row, which is added at the end; in this format the code 0 is the "
                "weight 0, and only a scale is stored.",
                lambda W, steps=steps: with_offset(W, steps),
            )
            for steps in (254, 255)
        ),
        ("nothing is rounded: the codes must be whole numbers.", lambda W: W * 1),
        ("the codes are cut off; take the nearest whole number.", lambda W: scale(W) * (W / scale(W)).trunc()),
        *(
            ("the codes are always rounded down; take the nearest whole number.", lambda W, down=down: scale(W) * down(W, scale(W)))
            for down in (lambda W, s: (W / s).floor(), torch.floor_divide)
        ),
        (
            "the signs of the weights are lost: only the scale ignores them, the codes do not.",
            lambda W: scale(W) * (W.abs() / scale(W)).round(),
        ),
        ("these are the codes q; the layer computes with s q.", lambda W: (W / scale(W)).round()),
        (
            "the scale is upside down: it is the distance between two levels, a small number.",
            lambda W: scaled(W, 127 / W.abs().amax(1, keepdim=True)),
        ),
        (
            "the codes are right, the weights made of them are not: if you divided to get the codes, multiply now; if you "
            "multiplied, divide.",
            lambda W: (W / scale(W)).round() / scale(W),
        ),
        (
            "the scale comes from the mean of the row; the largest weight would then have a code far above 127.",
            lambda W: scaled(W, W.abs().mean(1, keepdim=True) / 127),
        ),
        *clipped(
            "the scale comes from the standard deviation; the largest weight alone decides how far the levels reach.",
            lambda W: W.std(1, keepdim=True) / 127,
        ),
        *clipped("this is the scale of a row whose largest weight is 1; each row has its own.", lambda W: torch.tensor(1 / 127)),
        ("these are the scales, one for each row.", scale),
        ("these are codes before rounding: round them, then multiply by the scale.", lambda W: W / scale(W)),
        ("the weights themselves are rounded here; round W divided by the scale.", lambda W: W.round()),
        ("7 is the largest code of int4; int8 goes up to 127.", lambda W: scaled(W, W.abs().amax(1, keepdim=True) / 7)),
    ),
    "each weight is now one of at most 255 levels of its row, and half a step away from the truth at most.",
)

UNPACK4 = Exercise(
    "unpack4",
    unpack4,
    packets,
    (
        (
            "first come all upper halves here, then all lower ones; the two codes of a byte must stay neighbours.",
            lambda packed: torch.cat([packed // 16, packed % 16]),
        ),
        (
            "the two codes of each byte are exchanged: the first is in the upper half.",
            lambda packed: both(packed % 16, packed // 16),
        ),
        ("only the first code of each byte is here; there are twice as many codes as bytes.", lambda packed: packed // 16),
        ("only the second code of each byte is here; there are twice as many codes as bytes.", lambda packed: packed % 16),
        ("the second code still has the first one in it: take only what is below 16.", lambda packed: both(packed // 16, packed)),
        (
            "the first code must be a whole number: divide without remainder.",
            lambda packed: both(packed / 16, (packed % 16).float()),
        ),
        ("these are decimal digits; a code has 16 possible values, not 10.", lambda packed: both(packed // 10, packed % 10)),
        ("a code has 4 bits, and so 16 possible values, not 8.", lambda packed: both(packed // 8, packed % 8)),
        (
            "the first code is 16 times too large: its bits must be moved down.",
            lambda packed: both(packed - packed % 16, packed % 16),
        ),
        (
            "moving the bits up does not isolate the lower half: these second codes are 16 times too large.",
            lambda packed: both(packed // 16, packed << 4),
        ),
        ("the second code is the byte less 16 times the first one.", lambda packed: both(packed // 16, packed - packed // 16)),
        *(
            ("a code has 16 possible values, from 0 to 15, so divide by 16.", lambda packed, by=by: both(packed // by, packed % 15))
            for by in (16, 15)
        ),
        *(
            (
                "the first code is rounded to the nearest whole number; it must be rounded down: packed // 16.",
                lambda packed, rest=rest: both((packed / 16).round(), rest(packed.float())),
            )
            for rest in (lambda byte: byte % 16, lambda byte: byte - 16 * (byte / 16).round())
        ),
        (
            "the first code of each byte is there twice; the second one is in the lower half.",
            lambda packed: both(packed // 16, packed // 16),
        ),
        ("& 16 keeps a single bit; the lower four bits are & 15.", lambda packed: both(packed // 16, packed & 16)),
        ("these are single bits; a code is four of them.", lambda packed: packed[:, None] >> torch.arange(8).flip(0) & 1),
    ),
    "the bytes are codes again. This runs each time a layer is used, so that in memory the weights stay small.",
)


EXERCISES = [INT8_ROWS, OUTLIER, UNPACK4, HALF_BITS, KEEP_FULL, *memory.EXERCISES, XL_BYTES]
