"""One file with the original key names of Stable Diffusion 2 and XL: opened as vanilla diffusers does, or refused in a sentence."""

import re

import pytest
import real
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from tiny import vanilla
from torch.testing import assert_close

from edu_diffusion import models
from edu_diffusion.errors import EduError
from edu_diffusion.models import original

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
KINDS = {"2": (real.sd2, StableDiffusionPipeline), "xl": (real.sdxl, StableDiffusionXLPipeline)}
CHANGED = [("layer_norm", "ln_"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), ("self_attn", "attn")]


def openclip(encoder, prefix):
    """A text encoder's tensors under OpenCLIP's names, with one layer more, as the original files have them."""
    state = {name.removeprefix("text_model."): x for name, x in encoder.state_dict().items()}
    named = {
        "token_embedding.weight": state["embeddings.token_embedding.weight"],
        "positional_embedding": state["embeddings.position_embedding.weight"],
        "ln_final.weight": state["final_layer_norm.weight"],
        "ln_final.bias": state["final_layer_norm.bias"],
        "logit_scale": torch.tensor(1.0),
    }
    width = encoder.config.hidden_size
    named["text_projection"] = state["text_projection.weight"].T if "text_projection.weight" in state else torch.ones(width, width)
    layers = encoder.config.num_hidden_layers
    for i in range(layers + 1):
        layer = f"encoder.layers.{min(i, layers - 1)}."
        inside = {name.removeprefix(layer): x for name, x in state.items() if name.startswith(layer)}
        for kind in ("weight", "bias"):
            joined = torch.cat([inside.pop(f"self_attn.{letter}_proj.{kind}") for letter in "qkv"])
            named[f"transformer.resblocks.{i}.attn.in_proj_{kind}"] = joined
        for name, x in inside.items():
            for old, new in CHANGED:
                name = name.replace(old, new)
            named[f"transformer.resblocks.{i}.{name}"] = x
    return {prefix + name: x.contiguous().clone() for name, x in named.items()}


def in_original_names(pipe):
    """{original name: tensor} of a whole pipeline."""
    named = {}
    for part in ("unet", "vae"):
        state = getattr(pipe, part).state_dict()
        names = original.original_names(part, getattr(pipe, part))
        named |= {there: original.as_kept(there, state[name]).contiguous().clone() for name, there in names.items()}
    if not hasattr(pipe, "text_encoder_2"):
        return named | openclip(pipe.text_encoder, "cond_stage_model.model.")
    first = "conditioner.embedders.0.transformer.text_model."
    named |= {first + name.removeprefix("text_model."): x.clone() for name, x in pipe.text_encoder.state_dict().items()}
    named["denoiser.sigmas"] = torch.ones(1000)
    second = openclip(pipe.text_encoder_2, "conditioner.embedders.1.model.")
    last = f"resblocks.{pipe.text_encoder_2.config.num_hidden_layers}."
    return named | {name: x for name, x in second.items() if last not in name}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """{kind: (pipeline, its file, its folder without weights)}"""
    found = {}
    for kind, (build, _) in KINDS.items():
        pipe, root = build(), tmp_path_factory.mktemp(kind)
        pipe.save_pretrained(root / "folder")
        for weights in (root / "folder").rglob("*.safetensors"):
            weights.unlink()  # the configuration is enough
        save_file(in_original_names(pipe), root / "model.safetensors")
        found[kind] = pipe, root / "model.safetensors", root / "folder"
    return found


@pytest.fixture(params=KINDS)
def one(request, made):
    return made[request.param]


def picture(pipe):
    pipe.set_progress_bar_config(disable=True)
    return vanilla(pipe, "a red cat", num_inference_steps=2)


def test_the_file_draws_what_the_pipeline_draws(one):
    pipe, file, folder = one
    loaded = models.load(file, "cpu", config=folder)
    assert type(loaded) is type(pipe)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if hasattr(pipe, part):
            ours, theirs = (getattr(each, part).state_dict() for each in (loaded, pipe))
            assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours), part
    assert_close(picture(loaded), picture(pipe), rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_vanilla_diffusers_reads_the_same_from_it(kind, made):
    """The library finds every tensor under these names, so they are the ones that it expects."""
    pipe, file, folder = made[kind]
    with models.quiet():
        theirs = KINDS[kind][1].from_single_file(str(file), config=str(folder), local_files_only=True)
    assert_close(picture(theirs), picture(models.load(file, "cpu", config=folder)), rtol=0, atol=0)


def test_half_precision(one):
    _, file, folder = one
    pipe = models.load(file, "cpu", torch.float16, config=folder)
    assert {part.dtype for part in (pipe.unet, pipe.vae, pipe.text_encoder)} == {torch.float16}


def refused(path, words, **options):
    with pytest.raises(EduError) as caught:
        models.load(path, "cpu", **options)
    assert re.search(words, str(caught.value)) and "\n" not in str(caught.value) and len(str(caught.value)) < 700


def test_without_a_configuration_it_says_what_to_do(one):
    refused(one[1], "does not contain its configuration: pass config= with the folder of a model of the same kind")


def test_the_configuration_of_another_kind_is_named(made):
    (_, two, two_folder), (_, xl, xl_folder) = made["2"], made["xl"]
    refused(xl, "is a Stable Diffusion XL, and the configuration in .* that of a Stable Diffusion 1 or 2", config=two_folder)
    refused(two, "is a Stable Diffusion 1 or 2, and the configuration in .* that of a Stable Diffusion XL", config=xl_folder)


@pytest.mark.parametrize(
    "kind, name",
    [
        ("2", "cond_stage_model.model.transformer.resblocks.3.attn.in_proj_weight"),
        ("2", "cond_stage_model.model.positional_embedding"),
        ("xl", "conditioner.embedders.1.model.text_projection"),
        ("xl", "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias"),
        ("xl", "model.diffusion_model.label_emb.0.2.weight"),
    ],
)
def test_a_missing_tensor_is_named(made, tmp_path, kind, name):
    _, file, folder = made[kind]
    named = load_file(file)
    del named[name]
    save_file(named, tmp_path / "less.safetensors")
    refused(tmp_path / "less.safetensors", f"it lacks {re.escape(name)}", config=folder)


def test_a_surplus_layer_is_named(made, tmp_path):
    """One layer more than the model uses is the original's; two are another model."""
    pipe, file, folder = made["2"]
    layers = pipe.text_encoder.config.num_hidden_layers
    more = f"cond_stage_model.model.transformer.resblocks.{layers + 1}.ln_1.bias"
    save_file(load_file(file) | {more: torch.ones(3)}, tmp_path / "more.safetensors")
    refused(tmp_path / "more.safetensors", f"it also has {re.escape(more)}", config=folder)


def test_the_refiner_and_a_part_are_refused(made, tmp_path):
    named = load_file(made["xl"][1])
    refiner = {
        name.replace("embedders.1.model.", "embedders.0.model."): x for name, x in named.items() if "embedders.0." not in name
    }
    save_file(refiner, tmp_path / "refiner.safetensors")
    refused(tmp_path / "refiner.safetensors", "is the refiner of Stable Diffusion XL", config=made["xl"][2])
    save_file({name: x for name, x in named.items() if name.startswith("conditioner.")}, tmp_path / "text.safetensors")
    refused(tmp_path / "text.safetensors", "is a text encoder alone", config=made["xl"][2])
