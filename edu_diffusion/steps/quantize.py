"""Quantization: weights in fewer bits, really packed, and back again.

A format of up to 8 bits is a short list of levels, from -1 to 1, and a rule for which weights share a scale. A weight is
stored as the code of a level, and a group of weights as its scale, the largest absolute value:

    W ~ scale of its group * levels[code]

Two 4-bit codes or four 2-bit codes fill a byte. fp16 and bf16 have no scales: each weight is rounded by itself.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F

from .validate import StepError

__all__ = ["FORMATS", "Format", "Packed", "dequantize_weight", "float_levels", "nearest_codes", "normal_levels",
           "pack_bits", "quantize_weight", "unpack_bits", "whole_levels"]


def whole_levels(bits):
    """The whole numbers of a signed integer, in the order of its codes (two's complement).

    levels = 0, 1, ..., m, -m - 1, -m, ..., -1, with m = 2^(bits - 1) - 1; -m - 1 is not used and is NaN here

    bits: 2 to 8. Returns (2^bits,).
    Source: Jacob et al. 2018, section 2.1, with zero point 0 and the same range on both sides. Twin: torch.Tensor.view.
    """
    code, half = torch.arange(2**bits), 2 ** (bits - 1)
    levels = torch.where(code < half, code, code - 2 * half).float()
    return levels.masked_fill(code == half, torch.nan)


def float_levels(exponent, mantissa, special=0):
    """The numbers of a small floating-point format, in the order of its codes: sign, exponent E, mantissa M.

    2^(E - bias) (1 + M / 2^mantissa), for E = 0 instead 2^(1 - bias) M / 2^mantissa; bias = 2^(exponent - 1) - 1

    exponent, mantissa: numbers of bits. special: how many of the largest codes mean infinity or NaN, which are not used and
    are NaN here. Returns (2^(1 + exponent + mantissa),).
    Source: Micikevicius et al. 2022, table 1; Rouhani et al. 2023, table 1. Twin: torch.float8_e4m3fn.
    """
    code, bits = torch.arange(2 ** (1 + exponent + mantissa)), exponent + mantissa
    sign, E, M = 1 - 2 * (code >> bits), code % 2**bits >> mantissa, code % 2**mantissa / 2**mantissa
    scale = 2.0 ** (E.clamp(min=1) - 2 ** (exponent - 1) + 1)
    return (sign * scale * torch.where(E == 0, M, 1 + M)).masked_fill(code % 2**bits >= 2**bits - special, torch.nan)


def normal_levels():
    """The 16 levels of NF4, which normally distributed weights use about equally often: quantiles of a normal distribution.

    -q_7, ..., -q_1, 0, q'_1, ..., q'_8 over q'_8: quantiles at 7 and at 8 even steps from 1/2 to 1 - (1/30 + 1/32) / 2

    Zero is one of them, so that there are seven levels below and eight above. Returns (16,), ascending from -1 to 1.
    Source: Dettmers et al. 2023 (QLoRA), section 3 and appendix E. Twin: bitsandbytes.functional.get_4bit_type.
    """
    last = 1 - (1 / 30 + 1 / 32) / 2
    below, above = (torch.special.ndtri(torch.linspace(0.5, last, n, dtype=torch.double)) for n in (8, 9))
    return (torch.cat([-below.flip(0)[:-1], above]) / above[-1]).float()


def pack_bits(codes, bits):
    """Put 8 / bits codes into each byte, the first in the highest bits; the last byte is filled with zeros.

    byte = code_0 2^(8 - bits) + ... + code_last

    codes: (n,) whole numbers from 0 to 2^bits - 1. bits: 2, 4 or 8. Returns (ceil(n bits / 8),), torch.uint8.
    Source: Dettmers et al. 2023, whose program orders two codes in this way. Twin: numpy.packbits.
    """
    shifts = torch.arange(8 - bits, -1, -bits, dtype=torch.uint8, device=codes.device)
    codes = F.pad(codes.to(torch.uint8), (0, -len(codes) % len(shifts)))
    return (codes.view(-1, len(shifts)) << shifts).sum(1, dtype=torch.uint8)


def unpack_bits(packed, bits, n):
    """Take the codes out of the bytes again.

    code_i = floor(byte / 2^shift_i) mod 2^bits

    packed: torch.uint8, as from pack_bits. n: the number of codes. Returns (n,), torch.uint8.
    Source: as for pack_bits. Twin: numpy.unpackbits.
    """
    shifts = torch.arange(8 - bits, -1, -bits, dtype=torch.uint8, device=packed.device)
    return (packed[:, None] >> shifts & 2**bits - 1).flatten()[:n]


def nearest_codes(x, levels):
    """The code of the level nearest to each number; halfway between two it is that of the lower one.

    code = argmin over codes of |x - levels[code]|

    x: any shape. levels: (2^bits,), in any order; NaN is a code that is not used. Returns x's shape, torch.uint8.
    Source: Jacob et al. 2018, eq. 12, for evenly spaced levels. Twin: torch.fake_quantize_per_tensor_affine.
    """
    order = levels.argsort()[: levels.isfinite().sum()]  # NaN is sorted last
    ascending = levels[order]
    return order[torch.bucketize(x, (ascending[1:] + ascending[:-1]) / 2)].to(torch.uint8)


class Format(NamedTuple):
    """A way to store weights. bits: of a code. levels: from -1 to 1; None for a plain cast to `dtype`. group: how many
    weights in a row share a scale; None: those of one output channel."""

    name: str
    bits: int
    levels: torch.Tensor | None = None
    group: int | None = None
    dtype: torch.dtype | None = None

    def quantize(self, W):
        return quantize_weight(W, self)

    def dequantize(self, codes, scales, shape):
        return dequantize_weight(Packed(codes, scales, shape, self))


class Packed(NamedTuple):
    """A stored weight: bytes of codes, scales (empty for a plain cast), shape, format."""

    codes: torch.Tensor
    scales: torch.Tensor
    shape: torch.Size
    format: Format


def unit(levels):
    """Levels divided by the largest."""
    return levels / levels[levels.isfinite()].max()


FORMATS = {format.name: format for format in (
    Format("fp16", 16, dtype=torch.float16),
    Format("bf16", 16, dtype=torch.bfloat16),
    Format("fp8_e4m3", 8, unit(float_levels(4, 3, special=1))),
    Format("fp8_e5m2", 8, unit(float_levels(5, 2, special=4))),
    Format("int8", 8, unit(whole_levels(8))),
    Format("int4", 4, unit(whole_levels(4)), group=64),
    Format("nf4", 4, normal_levels(), group=64),
    Format("fp4", 4, unit(float_levels(2, 1)), group=64),
    Format("int2", 2, unit(torch.tensor([-3.0, -1.0, 1.0, 3.0])), group=64),  # four even steps: none may be wasted
)}


def chosen_format(format):
    """A Format by its name, or itself. Raises ValueError for an unknown name."""
    if isinstance(format, str) and format not in FORMATS:
        raise StepError(f"format is {format!r}; it must be one of {', '.join(FORMATS)}.")
    return FORMATS[format] if isinstance(format, str) else format


def quantize_weight(W, format, scales=torch.float16):
    """Store a weight in a format: the nearest level of each number, relative to the largest of its group.

    scale = max |W| of the group; code = argmin |W / scale - levels[code]|

    W: (out, in) or a convolution's (out, in, h, w), finite. format: a Format or a name in FORMATS. scales: their dtype.
    Returns a Packed. Raises ValueError for numbers that the format cannot hold.
    Source: Dettmers et al. 2023, eq. 1 and 2. Twin: bitsandbytes.functional.quantize_4bit.
    """
    format = chosen_format(format)
    size = format.group or W[0].numel()
    groups = F.pad(W.detach().float().flatten(), (0, -W.numel() % size)).view(-1, size)
    if not groups.abs().max() <= 65504:
        raise StepError("The weight has NaN, infinite numbers, or numbers above 65504, which half precision cannot hold.")
    if format.dtype:
        return Packed(W.detach().to(format.dtype).flatten().view(torch.uint8), W.new_empty(0, dtype=scales), W.shape, format)
    scale = groups.abs().amax(1).to(scales)
    codes = nearest_codes(groups / scale[:, None].float().clamp(min=1e-30), format.levels.to(W.device))
    return Packed(pack_bits(codes.flatten()[: W.numel()], format.bits), scale, W.shape, format)


def dequantize_weight(packed):
    """The weight that is stored: each code's level times its group's scale.

    W = scale of the group * levels[code]

    packed: a Packed. Returns a tensor of its shape, torch.float32.
    Source: Dettmers et al. 2023, eq. 2. Twin: bitsandbytes.functional.dequantize_4bit.
    """
    codes, scales, shape, format = packed
    if format.dtype:
        return codes.view(format.dtype).view(shape).float()
    values = format.levels.to(codes.device)[unpack_bits(codes, format.bits, shape.numel()).int()]
    size = format.group or shape[1:].numel()
    return (values * scales.float().repeat_interleave(size)[: shape.numel()]).view(shape)
