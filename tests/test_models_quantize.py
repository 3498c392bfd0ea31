"""A U-Net with packed weights: what it computes, what it weighs, and its file."""

import copy
import json

import pytest
import safetensors.torch
import tiny
import torch
from safetensors import safe_open
from torch import nn
from torch.testing import assert_close

import edu_diffusion as ed
from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
from edu_diffusion.models.quantize import ENTRY, PackedConv2d, PackedLinear

FORMATS = steps.FORMATS
INPUTS = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)), 500, torch.ones(2, 5, 32)


@pytest.fixture(scope="module")
def unet():
    return tiny.pipeline().unet


@pytest.fixture(scope="module")
def half(unet):
    """A U-Net that loses nothing in half precision."""
    return copy.deepcopy(unet).half().float()


@torch.no_grad()
def output(unet, inputs=INPUTS):
    return unet(*inputs).sample


def packed(unet):
    return {name for name, part in unet.named_modules() if isinstance(part, PackedLinear | PackedConv2d)}


def dequantized(unet, quantized):
    """A copy of the plain U-Net that holds the weights which the quantized one stands for."""
    plain = tiny.unet().eval()
    names = packed(quantized)
    weights = {f"{name}.weight": part.weight for name, part in quantized.named_modules() if name in names}
    plain.load_state_dict(unet.state_dict() | weights)
    return plain


@pytest.mark.parametrize("format", FORMATS)
def test_it_computes_with_the_dequantized_weights(unet, format):
    small = models.quantize_unet(unet, FORMATS[format])
    assert torch.equal(output(small), output(dequantized(unet, small)))
    for name in packed(small):
        W = unet.get_submodule(name).weight
        assert torch.equal(small.get_submodule(name).weight, steps.dequantize_weight(steps.quantize_weight(W, format)))


def test_every_linear_layer_and_convolution_is_packed_and_the_original_untouched(unet):
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    small = models.quantize_unet(unet, FORMATS["nf4"])
    wanted = {name for name, part in unet.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)}
    assert packed(small) == wanted and len(wanted) > 50 and not packed(unet)
    assert all(torch.equal(before[name], tensor) for name, tensor in unet.state_dict().items())
    replaced = {f"{name}.weight" for name in wanted}
    stored = {f"{name}.{part}" for name in wanted for part in ("codes", "scales")}
    assert set(small.state_dict()) == set(unet.state_dict()) - replaced | stored
    assert not any(p.requires_grad for p in small.parameters())


@pytest.mark.parametrize(
    "keep, stays",
    [
        ("conv_in", lambda name, part: name == "conv_in"),
        (["conv_in", "conv_out"], lambda name, part: name in ("conv_in", "conv_out")),
        (["time_embedding"], lambda name, part: name.startswith("time_embedding.")),
        (["down_blocks.1"], lambda name, part: name.startswith("down_blocks.1.")),
        (["to_v"], lambda name, part: name.endswith(".to_v")),
        ([nn.Conv2d], lambda name, part: isinstance(part, nn.Conv2d)),
        (nn.Linear, lambda name, part: isinstance(part, nn.Linear)),
    ],
)
def test_keep(unet, keep, stays):
    small = models.quantize_unet(unet, FORMATS["int4"], keep)
    kept = {name for name, part in unet.named_modules() if isinstance(part, nn.Linear | nn.Conv2d) and stays(name, part)}
    assert kept and packed(small) == packed(models.quantize_unet(unet, FORMATS["int4"])) - kept
    assert all(torch.equal(small.get_submodule(name).weight, unet.get_submodule(name).weight) for name in kept)


@pytest.mark.parametrize("keep", ["conv_inn", ["to_v", "to_w"], [nn.ConvTranspose2d], "1.conv"])
def test_keep_that_means_nothing_is_refused(unet, keep):
    with pytest.raises(EduError, match="which no layer to quantize has"):
        models.quantize_unet(unet, FORMATS["int4"], keep)


@pytest.mark.parametrize("format", ["nf4", None, FORMATS])
def test_a_format_that_is_none_is_refused(unet, format):
    with pytest.raises(EduError, match=r'use one of steps.FORMATS, such as steps.FORMATS\["nf4"\]'):
        models.quantize_unet(unet, format)


def test_two_formats_in_one(unet):
    small = models.quantize_unet(models.quantize_unet(unet, FORMATS["nf4"], keep=nn.Conv2d), FORMATS["int8"])
    found = {(type(part).__name__, part.format.name) for part in small.modules() if hasattr(part, "codes")}
    assert found == {("PackedLinear", "nf4"), ("PackedConv2d", "int8")}


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_are_those_in_memory_and_on_disk(unet, format, tmp_path):
    small = models.quantize_unet(unet, FORMATS[format], keep="conv_in")
    found = models.quantized_bytes(small)
    sizes = [(n, t.numel() * t.element_size()) for n, t in [*small.named_parameters(), *small.named_buffers()]]
    assert sum(found.values()) == sum(size for _, size in sizes)
    assert found["codes"] == sum(size for n, size in sizes if n.endswith(".codes"))
    weights = sum(unet.get_submodule(name).weight.numel() for name in packed(small))
    assert weights * FORMATS[format].bits / 8 <= found["codes"] <= weights * FORMATS[format].bits / 8 + len(packed(small))
    models.save_quantized(small, tmp_path / "small.safetensors")
    disk, size = models.quantized_bytes(small, disk=True), (tmp_path / "small.safetensors").stat().st_size
    assert disk["kept"] == found["kept"] / 2 and sum(disk.values()) < size < sum(disk.values()) + 60_000  # the header


@pytest.mark.parametrize("format", ["bf16", "fp8_e5m2", "int8", "nf4", "int2"])
def test_round_trip_of_the_file(half, format, tmp_path):
    small = models.quantize_unet(half, FORMATS[format], keep=["conv_in", "time_embedding"])
    models.save_quantized(small, tmp_path / "small.safetensors")
    again = models.load_quantized(tmp_path / "small.safetensors", FORMATS)
    assert packed(again) == packed(small) and models.quantized_bytes(again) == models.quantized_bytes(small)
    assert torch.equal(output(again), output(small)) and not again.training
    assert {n: t.dtype for n, t in again.state_dict().items()} == {n: t.dtype for n, t in small.state_dict().items()}


def test_it_draws_by_our_loop_and_by_the_library(pipe, monkeypatch, tmp_path):
    before = ed.draw(pipe, "a cat", steps=3)
    small = models.quantize_unet(pipe.unet, FORMATS["int8"])
    monkeypatch.setattr(pipe, "unet", small)
    x = ed.draw(pipe, "a cat", steps=3)
    assert 0 < (x - before).norm() < 0.2 * before.norm()
    theirs = tiny.vanilla(pipe, "a cat", num_inference_steps=3, guidance_scale=steps.GUIDANCE)
    assert_close(list(ed.generate(pipe, "a cat", steps=3))[-1].z_s, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_dtype_leaves_the_codes_alone(unet, dtype):
    small = models.quantize_unet(unet, FORMATS["bf16"])
    codes = {name: tensor.clone() for name, tensor in small.named_buffers() if name.endswith("codes")}
    moved = small.to(dtype)
    assert all(torch.equal(codes[name], tensor) for name, tensor in moved.named_buffers() if name.endswith("codes"))
    assert moved.conv_in.weight.dtype == dtype and output(moved, (INPUTS[0].to(dtype), 500, INPUTS[2].to(dtype))).dtype == dtype


# ---------------------------------------------------------------- files


@pytest.fixture(scope="module")
def saved(unet, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "small.safetensors"
    models.save_quantized(models.quantize_unet(unet, FORMATS["nf4"]), path)
    return path


def changed(saved, path, tensors=None, facts=None):
    """A file with other tensors or facts: functions that change them."""
    with safe_open(saved, "pt") as file:
        held, told = {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()[ENTRY])  # noqa: SIM118
    (tensors or (lambda held: None))(held)
    (facts or (lambda told: None))(told)
    safetensors.torch.save_file(held, path, {ENTRY: json.dumps(told)})
    return path


FAULTS = {
    "lacks": (lambda t: t.pop("conv_in.codes"), None, "lacks conv_in.codes"),
    "surplus": (lambda t: t.update(more=torch.ones(1)), None, "also has more"),
    "shape": (lambda t: t.update({"conv_in.scales": torch.ones(1).half()}), None, "has another shape for conv_in.scales"),
    "codes that are numbers": (
        lambda t: t.update({"conv_in.codes": t["conv_in.codes"].half()}),
        None,
        "conv_in.codes holds another kind of numbers",
    ),
    "numbers that are codes": (
        lambda t: t.update({"conv_in.bias": t["conv_in.bias"].byte()}),
        None,
        "conv_in.bias holds another kind of numbers",
    ),
    "format": (None, lambda f: f["formats"].update(conv_in="int3"), "in the format int3, which is not one of fp16, bf16"),
    "layer": (None, lambda f: f["formats"].update(conv_on="nf4"), "conv_on"),
    "norm": (None, lambda f: f["formats"].update(conv_norm_out="nf4"), "conv_norm_out"),
    "no formats": (None, lambda f: f.pop("formats"), "formats"),
    "a list of formats": (None, lambda f: f.update(formats=[]), "is not part of a valid Stable Diffusion"),
    "configuration": (None, lambda f: f["config"].update(block_out_channels=[32, 96]), "another shape for"),
    "no configuration": (None, lambda f: f.pop("config"), "config"),
    "a giant": (None, lambda f: f["config"].update(block_out_channels=[32, 32_000]), "many times larger"),
}


@pytest.mark.fault("silent")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_file_that_is_not_whole_is_one_sentence(saved, tmp_path, fault):
    tensors, facts, message = FAULTS[fault]
    with pytest.raises(EduError, match=message):
        models.load_quantized(changed(saved, tmp_path / "bad.safetensors", tensors, facts), FORMATS)


def test_an_unchanged_file_loads(saved, tmp_path):
    assert packed(models.load_quantized(changed(saved, tmp_path / "good.safetensors"), FORMATS))


@pytest.mark.fault("ugly")
def test_other_files_are_one_sentence(saved, tmp_path):
    safetensors.torch.save_file({"x": torch.ones(1)}, tmp_path / "other.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(saved.read_bytes()[:-1000])
    for name, message in [("other", "was not written by save_quantized"), ("cut", "not a complete"), ("none", "cannot be read")]:
        with pytest.raises(EduError, match=message):
            models.load_quantized(tmp_path / f"{name}.safetensors", FORMATS)
    with pytest.raises(EduError, match="is not a name"):
        models.load_quantized(None, FORMATS)


def test_only_a_quantized_unet_is_saved(unet, tmp_path):
    with pytest.raises(EduError, match="has no packed layers"):
        models.save_quantized(unet, tmp_path / "x.safetensors")
    small = models.quantize_unet(unet, FORMATS["nf4"])
    small.conv_in.bias.data[0] = 1e6
    with pytest.raises(EduError, match="conv_in.bias would hold numbers that are not finite"):
        models.save_quantized(small, tmp_path / "x.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_shipped_base():
    """6,685,184 weights in layers, 30,404 biases and norms: 13.4 MB in half precision."""
    unet = models.load("base").unet
    sizes = {name: models.quantized_bytes(models.quantize_unet(unet, FORMATS[name]), disk=True) for name in ("int8", "nf4")}
    assert sizes["int8"] == {"codes": 6685184, "scales": 44936, "kept": 60808}
    assert sizes["nf4"] == {"codes": 3342592, "scales": 208912, "kept": 60808}
