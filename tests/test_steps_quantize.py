"""The readable quantization against torch's own types, published tables, and bitsandbytes and torchao where these are installed."""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import twin
from torch.testing import assert_close

from edu_diffusion import steps

SHAPES = pytest.mark.parametrize("shape, seed", [((8, 64), 0), ((5, 7), 1), ((6, 4, 3, 3), 2), ((3, 128, 1, 1), 3)])
SMALL = [name for name, format in steps.FORMATS.items() if format.bits <= 8]

# Dettmers et al. 2023, appendix E
NF4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334]
NF4 += [-0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224]
NF4 += [0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
E2M1 = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]  # OCP Microscaling Formats specification 1.0, section 5.3.3


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def optional(name):
    """A module of a library that need not be installed; skips the test where it is absent or does not load."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except Exception as error:
            pytest.skip(f"{name} is optional and does not load: {type(error).__name__}: {error}")


def roundtrip(W, format, scales=torch.float16):
    return steps.dequantize_weight(steps.quantize_weight(W, format, scales))


# ---------------------------------------------------------------- levels


@twin("whole_levels")
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_whole_levels(bits):
    codes = torch.arange(2**bits, dtype=torch.uint8)
    wanted = (codes << 8 - bits).view(torch.int8).float() / 2 ** (8 - bits)
    levels = steps.whole_levels(bits)
    used = torch.arange(2**bits) != 2 ** (bits - 1)
    assert torch.equal(levels[used], wanted[used]) and levels.isnan().sum() == 1
    assert levels[used].min() == -levels[used].max()


@twin("float_levels")
@pytest.mark.parametrize("dtype, bits, special", [(torch.float8_e4m3fn, (4, 3), 1), (torch.float8_e5m2, (5, 2), 4)])
def test_float_levels(dtype, bits, special):
    wanted = torch.arange(256, dtype=torch.uint8).view(dtype).float()
    levels = steps.float_levels(*bits, special)
    assert torch.equal(levels.isfinite(), wanted.isfinite())
    assert torch.equal(levels[levels.isfinite()], wanted[wanted.isfinite()])
    assert levels[levels.isfinite()].max() == torch.finfo(dtype).max


def test_the_levels_of_e2m1_are_the_published_ones():
    assert steps.float_levels(2, 1).tolist() == [*E2M1, *(-x for x in E2M1)]


def test_the_levels_of_e2m1_are_those_of_torchao():
    kernels = optional("torchao.prototype.mx_formats.kernels")
    assert torch.equal(steps.float_levels(2, 1), kernels.f4_unpacked_to_f32(torch.arange(16, dtype=torch.uint8)))


@twin("normal_levels")
def test_normal_levels_are_the_published_ones():
    assert_close(steps.normal_levels(), torch.tensor(NF4), rtol=0, atol=2e-6)  # these were computed from a rounded constant
    assert steps.normal_levels()[7] == 0 and steps.normal_levels()[[0, -1]].tolist() == [-1, 1]


@twin("normal_levels")
def test_normal_levels_are_those_of_bitsandbytes():
    functional = optional("bitsandbytes.functional")
    assert_close(steps.normal_levels(), functional.get_4bit_type("nf4", device="cpu"), rtol=0, atol=2e-6)


# ---------------------------------------------------------------- bytes


def bits_of(codes, bits):
    """(n, bits) zeros and ones, the highest first."""
    return (codes[:, None].numpy() >> np.arange(bits - 1, -1, -1)) & 1


@twin("pack_bits", "unpack_bits")
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("n", [1, 2, 7, 64, 1001])
def test_pack_bits_and_unpack_bits(bits, n):
    codes = torch.randint(2**bits, (n,), generator=torch.Generator().manual_seed(n))
    packed = steps.pack_bits(codes, bits)
    assert packed.numpy().tolist() == np.packbits(bits_of(codes, bits).ravel()).tolist()
    assert packed.dtype == torch.uint8 and len(packed) == -(-n * bits // 8)
    again = steps.unpack_bits(packed, bits, n)
    assert torch.equal(again, codes.to(torch.uint8))
    wanted = np.unpackbits(packed.numpy()).reshape(-1, bits) @ (1 << np.arange(bits - 1, -1, -1))
    assert again.tolist() == wanted[:n].tolist()


# ---------------------------------------------------------------- codes


@twin("nearest_codes")
@pytest.mark.parametrize("bits", [3, 4, 8])
@pytest.mark.parametrize("seed", range(3))
def test_nearest_codes(bits, seed):
    x, levels, most = 40 * random(999, seed=seed), steps.whole_levels(bits), 2 ** (bits - 1) - 1
    assert_close(levels[steps.nearest_codes(x, levels).int()], torch.fake_quantize_per_tensor_affine(x, 1.0, 0, -most, most))


@pytest.mark.parametrize("format", SMALL)
def test_no_level_is_nearer(format):
    levels, x = steps.FORMATS[format].levels, random(2000, seed=4) / 3
    chosen = (levels[steps.nearest_codes(x, levels).int()] - x).abs()
    assert torch.equal(chosen, (levels[levels.isfinite()] - x[:, None]).abs().amin(1))


def test_halfway_it_is_the_lower_level():
    assert steps.nearest_codes(torch.tensor([0.5, -0.5, 9.0]), torch.tensor([1.0, 0.0, -1.0])).tolist() == [1, 2, 0]


# ---------------------------------------------------------------- weights


@twin("quantize_weight", "dequantize_weight")
@SHAPES
def test_int8_per_channel(shape, seed):
    W = random(*shape, seed=seed)
    scale, zero = W.flatten(1).abs().amax(1) / 127, torch.zeros(len(W), dtype=torch.int32)
    wanted = torch.fake_quantize_per_channel_affine(W, scale, zero, 0, -127, 127)
    packed = steps.quantize_weight(W, "int8", scales=torch.float32)
    assert_close(steps.dequantize_weight(packed), wanted)
    assert_close(packed.codes.view(torch.int8).view(shape).float(), (wanted.flatten(1) / scale[:, None]).round().view(shape))


@twin("quantize_weight", "dequantize_weight")
@pytest.mark.parametrize("name, dtype", [("fp8_e4m3", torch.float8_e4m3fn), ("fp8_e5m2", torch.float8_e5m2)])
@SHAPES
def test_fp8_per_channel(name, dtype, shape, seed):
    W = random(*shape, seed=seed)
    scale = W.flatten(1).abs().amax(1).view(-1, *[1] * (W.ndim - 1)) / torch.finfo(dtype).max
    packed = steps.quantize_weight(W, name, scales=torch.float32)
    assert_close(steps.dequantize_weight(packed), (W / scale).to(dtype).float() * scale)


@twin("quantize_weight", "dequantize_weight")
@pytest.mark.parametrize("name, dtype", [("fp16", torch.float16), ("bf16", torch.bfloat16)])
@SHAPES
def test_16_bits_are_a_cast(name, dtype, shape, seed):
    W = random(*shape, seed=seed)
    packed = steps.quantize_weight(W, name)
    assert torch.equal(steps.dequantize_weight(packed), W.to(dtype).float())
    assert packed.codes.dtype == torch.uint8 and packed.codes.numel() == 2 * W.numel() and not packed.scales.numel()


@twin("quantize_weight", "dequantize_weight")
@SHAPES
def test_nf4_is_that_of_bitsandbytes(shape, seed):
    functional, W = optional("bitsandbytes.functional"), random(*shape, seed=seed)
    codes, state = functional.quantize_4bit(W, blocksize=64, quant_type="nf4")
    packed = steps.quantize_weight(W, "nf4", scales=torch.float32)
    ours, theirs = (steps.unpack_bits(x.flatten(), 4, W.numel()) for x in (packed.codes, codes))
    assert torch.equal(ours, theirs) and torch.equal(packed.scales, state.absmax)
    assert_close(steps.dequantize_weight(packed), functional.dequantize_4bit(codes, state), rtol=1e-4, atol=1e-5)


def test_int8_is_that_of_torchao():
    quantization, W = optional("torchao.quantization"), random(32, 64)
    layer = torch.nn.Sequential(torch.nn.Linear(64, 32))
    layer[0].weight.data = W.clone()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantization.quantize_(layer, quantization.Int8WeightOnlyConfig())
    theirs = layer[0].weight
    # It also uses the code -128, so that 255 steps fill the range; here it has to be among the levels.
    all_codes = steps.Format("int8 with -128", 8, torch.arange(256, dtype=torch.uint8).view(torch.int8).float() / 127.5)
    ours = steps.quantize_weight(W, all_codes, scales=torch.float32)
    plain = 127.5 * W / W.abs().amax(1, keepdim=True)
    halfway = (plain % 1 - 0.5).abs() < 1e-4  # there it rounds to the even one; the largest weight itself is halfway
    assert torch.equal(ours.codes.view(torch.int8).view(32, 64)[~halfway], theirs.qdata[~halfway]) and halfway.sum() < 40
    assert_close(steps.dequantize_weight(ours)[~halfway], theirs.dequantize()[~halfway])
    plain = steps.quantize_weight(W, "int8").codes.view(torch.int8).view(32, 64)
    assert (plain.int() - theirs.qdata.int()).abs().max() == 1  # the format here differs by one step at most


def test_fp4_differs_from_that_of_bitsandbytes_in_one_level():
    """There the smallest level is 1 / 192 of the largest, in E2M1 it is 1 / 12."""
    theirs = optional("bitsandbytes.functional").get_4bit_type("fp4", device="cpu")
    ours = steps.FORMATS["fp4"].levels
    one, other = (sorted(levels[levels > 0].tolist()) for levels in (ours, theirs))
    assert one[1:] == pytest.approx(other[1:]) and (one[0], other[0]) == pytest.approx((1 / 12, 1 / 192))


@pytest.mark.parametrize("format", steps.FORMATS)
@SHAPES
def test_bytes_are_those_that_the_format_promises(format, shape, seed):
    W = random(*shape, seed=seed)
    codes, scales, kept, chosen = steps.quantize_weight(W, format)
    groups = 0 if chosen.levels is None else -(-W.numel() // chosen.group) if chosen.group else len(W)
    assert codes.dtype == torch.uint8 and len(codes) == -(-W.numel() * chosen.bits // 8)
    assert scales.numel() == groups and kept == W.shape and chosen is steps.FORMATS[format]
    assert scales.dtype == torch.float16 or not groups


@pytest.mark.parametrize("format", SMALL)
@SHAPES
def test_each_number_is_within_half_a_step(format, shape, seed):
    W = random(*shape, seed=seed)
    levels = steps.FORMATS[format].levels
    widest = levels[levels.isfinite()].sort().values.diff().max() / 2
    largest = W.abs().max() if steps.FORMATS[format].group else W.flatten(1).abs().amax(1).view(-1, *[1] * (W.ndim - 1))
    assert ((roundtrip(W, format) - W).abs() <= (widest + 1e-3) * largest).all()


@pytest.mark.parametrize("format", steps.FORMATS)
def test_quantizing_twice_changes_nothing_more(format):
    once = roundtrip(random(16, 64, seed=5), format)
    assert_close(roundtrip(once, format), once, rtol=2e-3, atol=0)


def test_more_bits_are_nearer():
    W = random(64, 256, seed=6)
    error = {name: ((roundtrip(W, name) - W).norm() / W.norm()).item() for name in steps.FORMATS}
    assert error["fp16"] < error["bf16"] < error["int8"] < error["fp8_e4m3"] < error["fp8_e5m2"] < error["nf4"]
    assert error["nf4"] < min(error["fp4"], error["int4"]) and max(error["fp4"], error["int4"]) < error["int2"] < 0.6


@pytest.mark.parametrize("format", SMALL)
def test_zeros_and_tiny_weights(format):
    codes, levels = steps.quantize_weight(torch.zeros(4, 64), format).codes, steps.FORMATS[format].levels
    bits = steps.FORMATS[format].bits
    assert (levels[steps.unpack_bits(codes, bits, 256).int()].abs() == levels.abs().nan_to_num(1).min()).all()
    assert not roundtrip(torch.zeros(4, 64), format).any()
    W = torch.zeros(2, 64)
    W[0, 3], W[1] = 1.0, 1e-9
    again = roundtrip(W, format)
    assert again.isfinite().all() and again[0, 3] == 1 and not again[1].any()  # 1e-9 is zero in half precision


@pytest.mark.parametrize("format", steps.FORMATS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e6])
def test_numbers_that_cannot_be_held_are_refused(format, bad):
    W = torch.ones(2, 64)
    W[1, 1] = bad
    with pytest.raises(ValueError, match="above 65504, which half precision cannot hold"):
        steps.quantize_weight(W, format)


def test_an_unknown_format_is_a_sentence():
    with pytest.raises(ValueError, match="format is 'int3'; it must be one of fp16, bf16, .*, int2"):
        steps.quantize_weight(torch.ones(2, 64), "int3")


# ---------------------------------------------------------------- optional libraries stay optional

CODE = """
import sys, torch, edu_diffusion
from edu_diffusion import models, steps
layer = models.quantize_unet(torch.nn.Sequential(torch.nn.Linear(64, 2)), steps.FORMATS["nf4"])
layer(torch.ones(1, 64))
print(*sorted(n for n in sys.modules if n.split(".")[0] in ("bitsandbytes", "torchao", "sdnq")))
"""


@pytest.mark.parametrize("half", [False, True])
def test_no_import_of_ours_needs_an_optional_library(tmp_path, half):
    """They may be absent, or half there: a folder of that name that raises when it is imported."""
    for name in ("bitsandbytes", "torchao", "sdnq") if half else ():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text('raise OSError("half there")')
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})" + CODE
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(steps.__file__).parents[2])
    assert not run.returncode and not run.stdout.strip(), run.stdout + run.stderr
