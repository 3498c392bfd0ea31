"""What does each quantization of the base's U-Net weigh, and what does it cost?

    python3 tests/benchmarks/quantization.py                     # bytes and error of v: about a minute on an idle core
    python3 tests/benchmarks/quantization.py --limit 20          # and accuracy: 200 prompts, about a minute a row

Prints one row for each way: bytes in the file (codes, scales, what is kept in half precision); the relative error of the U-Net's
output v, |v' - v| / |v|, as the mean over real scenes noised to several timesteps, with its 95 % interval over scenes; and, in
percentage points, how many more images are right in full precision, with the paired 95 % interval over prompts (same prompts,
same seeds). --limit: so many prompts of each of the ten splits. Rows of bitsandbytes, torchao and sdnq appear where these are
installed; their bytes are those of the file that holds their tensors.
"""

import argparse
import copy
import importlib
import pathlib
import tempfile
import warnings

import torch
from torch import nn

from edu_diffusion import metrics, models, steps
from edu_diffusion.data import scenes

TIMESTEPS = (50, 200, 400, 600, 800, 950)
ENDS = ("conv_in", "conv_out")
ROW = steps.FORMATS["int4"]._replace(name="int4 per channel", group=None)

# name: [(format, what stays as it is), ...], applied one after the other
WAYS = {
    **{name: [(format, ())] for name, format in steps.FORMATS.items()},
    "int4, a scale a channel": [(ROW, ())],
    **{f"{name}, ends kept": [(steps.FORMATS[name], ENDS)] for name in ("int4", "nf4", "fp4", "int2")},
    "nf4, convolutions kept": [(steps.FORMATS["nf4"], [nn.Conv2d])],
    "nf4, linear layers kept": [(steps.FORMATS["nf4"], [nn.Linear])],
    "nf4, convolutions int8": [(steps.FORMATS["nf4"], [nn.Conv2d]), (steps.FORMATS["int8"], ())],
}


def small(unet, way):
    """The U-Net after the steps of a way."""
    for format, keep in way:
        unet = models.quantize_unet(unet, format, keep)
    return unet


def plain(unet, quantized):
    """A U-Net with the dequantized weights: the same outputs, without dequantizing in every call."""
    names = {name for name, _ in unet.named_parameters()}
    weights = {
        name: quantized.get_submodule(name.rpartition(".")[0]).weight if name.endswith(".weight") else value
        for name, value in unet.state_dict().items()
    }
    unet = copy.deepcopy(unet)
    unet.load_state_dict({name: weights[name] for name in names})
    return unet


# ---------------------------------------------------------------- other people's


def file_size(tensors, save):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "unet"
        save(tensors, path)
        return path.stat().st_size


def swap(module, linear):
    """Replace the linear layers inside a module by what linear(layer) returns."""
    for name, child in module.named_children():
        setattr(module, name, linear(child)) if type(child) is nn.Linear else swap(child, linear)


def bitsandbytes(unet, kind):
    """(U-Net, bytes): linear layers in 4 bits; there is no convolution of its own."""
    import bitsandbytes as bnb
    from safetensors.torch import save_file

    def packed(layer):
        made = bnb.nn.Linear4bit(layer.in_features, layer.out_features, layer.bias is not None, quant_type=kind)
        made.weight = bnb.nn.Params4bit(layer.weight.data, requires_grad=False, quant_type=kind, module=made)
        made.bias = layer.bias
        return made.to("cpu")

    swap(unet, packed)
    return unet, file_size(halved(unet), save_file)


def halved(unet):
    """The tensors of a U-Net for a file: ordinary weights in half precision, those of packed layers as they are."""
    own = {name for name, part in unet.named_modules() if type(part).__module__.startswith(("torch.", "diffusers."))}
    return {
        name: (value.half() if name.rpartition(".")[0] in own and value.is_floating_point() else value).contiguous()
        for name, value in unet.state_dict().items()
    }


def torchao(unet, setting):
    """(U-Net, bytes); its tensors are saved as a pickle. setting: (configuration, its dtype or None, convolutions too)."""
    config, dtype, convolutions = setting
    quantization = importlib.import_module("torchao.quantization")
    made = getattr(quantization, config)(*([getattr(torch, dtype)] if dtype else []))
    kinds = (nn.Linear, nn.Conv2d) if convolutions else nn.Linear
    quantization.quantize_(unet, made, filter_fn=lambda part, name: isinstance(part, kinds))
    tensors = {name: value if "torchao" in type(value).__module__ else value.half() for name, value in unet.state_dict().items()}
    return unet, file_size(tensors, torch.save)


def sdnq(unet, dtype):
    """(U-Net, bytes): linear layers and convolutions, all but those that the library itself leaves out."""
    from safetensors.torch import save_file

    quantize = importlib.import_module("sdnq.quantizer").sdnq_post_load_quant
    unet = quantize(unet, weights_dtype=dtype, quant_conv=True, torch_dtype=torch.float32)
    return unet, file_size(halved(unet), save_file)


THEIRS = {
    "bitsandbytes nf4 (linear)": (bitsandbytes, "nf4"),
    "bitsandbytes fp4 (linear)": (bitsandbytes, "fp4"),
    "torchao int8 (linear)": (torchao, ("Int8WeightOnlyConfig", None, False)),
    "torchao fp8 (linear)": (torchao, ("Float8WeightOnlyConfig", None, False)),
    "torchao int8": (torchao, ("Int8WeightOnlyConfig", None, True)),
    "torchao int4": (torchao, ("IntxWeightOnlyConfig", "int4", True)),
    "torchao int2": (torchao, ("IntxWeightOnlyConfig", "int2", True)),
    "sdnq int8": (sdnq, "int8"),
    "sdnq uint4": (sdnq, "uint4"),
    "sdnq float4_e2m1fn": (sdnq, "float4_e2m1fn"),
    "sdnq uint2": (sdnq, "uint2"),
}


# ---------------------------------------------------------------- measures


@torch.no_grad()
def inputs(pipe, n):
    """[(z_t, t, c), ...]: the latents of n real scenes, noised to each timestep, and their captions."""
    scene = scenes.batch(n, seed=31)
    z_0, c = steps.encode(pipe, scene.images.to(pipe.device)), steps.embed(pipe, scene.captions)
    levels = pipe.scheduler.alphas_cumprod.to(pipe.device)
    noise = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(0)).to(pipe.device)
    return [(steps.q_sample(z_0, noise, levels[t]), t, c) for t in TIMESTEPS]


@torch.no_grad()
def outputs(unet, cases):
    """v for each case: (timesteps, n, numbers)."""
    return torch.stack([unet(z_t, t, c).sample.flatten(1) for z_t, t, c in cases])


def error(v, other):
    """|v' - v| / |v| of each scene, the mean over timesteps, then over scenes with an interval."""
    return metrics.mean(((other - v).norm(dim=2) / v.norm(dim=2)).mean(0), "")


def hits(pipe, unet, judge, rows):
    """Whether everything that was asked is right in the images of a U-Net: (n,)."""
    before, pipe.unet = pipe.unet, unet
    try:
        return metrics.right(judge, metrics.draw(pipe, rows), rows)["all"]
    finally:
        pipe.unet = before


# ---------------------------------------------------------------- the table


def number(score, factor=1.0, digits=3):
    return f"{factor * score['value']:.{digits}f} ({factor * score['low']:.{digits}f} to {factor * score['high']:.{digits}f})"


def line(name, sizes, of_v="", drop=""):
    print(f"{name:28}" + "".join(f"{size:>11}" for size in sizes) + f"  {of_v:24} {drop}", flush=True)


def ours(full, only):
    """Yield (name, sizes, U-Net) of our own ways."""
    for name, way in WAYS.items():
        if name in only or not only:
            quantized = small(full, way)
            found = models.quantized_bytes(quantized, disk=True)
            yield name, (*found.values(), sum(found.values())), plain(full, quantized)


def theirs(full, only):
    """Yield the same of the libraries that are installed; only the whole file is weighed."""
    for name, (function, setting) in THEIRS.items():
        if name in only or not only:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    unet, size = function(copy.deepcopy(full), setting)
            except Exception as problem:
                print(f"{name:28}not measured: {type(problem).__name__}: {str(problem).splitlines()[0][:90]}")
                continue
            yield name, ("", "", "", size), unet


def options(arguments):
    read = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    read.add_argument("--limit", type=int, default=0, help="prompts of each split for the accuracy; 0: no accuracy")
    read.add_argument("--scenes", type=int, default=16, help="for the error of v")
    read.add_argument("--only", action="append", default=[], help="a row by its name; may be repeated")
    read.add_argument("--device", default="cpu")
    return read.parse_args(arguments)


def main(arguments=None):
    told = options(arguments)
    pipe, judge = models.load("base", told.device), metrics.load_judge() if told.limit else None
    full, cases = pipe.unet, inputs(pipe, told.scenes)
    rows = metrics.chosen("core", told.limit) if told.limit else []
    v, right = outputs(full, cases), hits(pipe, full, judge, rows) if rows else None
    line("format", ("codes", "scales", "kept", "all"), "error of v", f"right, lost points (n = {len(rows)})" if rows else "")
    share = f"{number(metrics.score(right), 100, 1)} % right" if rows else ""
    line("full precision", ("", "", "", models.quantized_bytes(full)["kept"]), "0", share)
    for name, sizes, unet in each(full, told.only):
        drop = number(metrics.paired(hits(pipe, unet, judge, rows), right), 100, 1) if rows else ""
        line(name, sizes, number(error(v, outputs(unet, cases))), drop)


def each(full, only):
    yield from ours(full, only)
    yield from theirs(full, only)


if __name__ == "__main__":
    main()
