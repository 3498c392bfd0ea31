"""LoRAs in every format that people share: the effect is that of the merged product of matrices; other adapters are refused."""

import json

import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from tiny import pipeline, vanilla
from torch.testing import assert_close

from edu_diffusion import models
from edu_diffusion.errors import EduError
from edu_diffusion.models import lora

pytestmark = pytest.mark.fault("wrong")

UNET = {
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k": 2,
    "mid_block.resnets.0.conv1": 2,
    "up_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0": 3,
    "mid_block.attentions.0.proj_in": 2,
}
TEXT = {"encoder.layers.0.self_attn.q_proj": 2, "encoder.layers.1.self_attn.out_proj": 3, "encoder.layers.0.mlp.fc1": 2}
KOHYA = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}


def layer_of(pipe, part, layer):
    return getattr(pipe, part).get_submodule(layer)


@pytest.fixture
def matrices():
    """{(part, layer): (down, up)} of random low-rank matrices, of different ranks."""
    pipe, rng = pipeline(), torch.Generator().manual_seed(1)

    def pair(part, layer, rank):
        out, *inner = layer_of(pipe, part, layer).weight.shape
        ones = [1] * (len(inner) - 1)
        return 0.3 * torch.randn(rank, *inner, generator=rng), 0.3 * torch.randn(out, rank, *ones, generator=rng)

    return {
        (part, layer): pair(part, layer, rank)
        for part, ranks in (("unet", UNET), ("text_encoder", TEXT))
        for layer, rank in ranks.items()
    }


@torch.no_grad()
def merged(matrices, scale=lambda layer, rank: 1.0):
    """What a pipeline draws into whose weights the products are merged by hand. scale: a function (layer, rank)."""
    pipe = pipeline()
    for (part, layer), (down, up) in matrices.items():
        product = up.flatten(1) @ down.flatten(1)
        weight = layer_of(pipe, part, layer).weight
        weight += scale(layer, len(down)) * product.reshape(weight.shape)
    return draw(pipe)


def draw(pipe):
    return vanilla(pipe, "a red cat", num_inference_steps=2)


def loaded(source, weight=1.0):
    pipe = pipeline()
    models.load_lora(pipe, source, weight=weight)
    return pipe


def same(source, matrices, scale=lambda layer, rank: 1.0):
    """Assert that a file has the effect of the merged matrices, which is one, and with weight 0 none at all."""
    pipe, base = loaded(source, weight=0), draw(pipeline())
    assert torch.equal(draw(pipe), base)
    pipe.set_adapters("lora", 1.0)
    assert_close(draw(pipe), merged(matrices, scale), rtol=1e-3, atol=1e-3)
    assert not torch.allclose(draw(pipe), base, atol=0.05)
    pipe.unload_lora_weights()
    assert torch.equal(draw(pipe), base)


def written(path, matrices, name, kinds=("lora_A.weight", "lora_B.weight"), metadata=None, **more):
    """Write matrices to a file; name: a function (part, layer). more: further tensors."""
    pairs = {f"{name(part, layer)}.{kind}": value for (part, layer), pair in matrices.items() for kind, value in zip(kinds, pair)}
    save_file({name: value.contiguous() for name, value in {**pairs, **more}.items()}, path, metadata)
    return path


def kohya(part, layer):
    return KOHYA[part] + layer.replace(".", "_")


def diffusers(part, layer):
    return f"{part}.{layer}"


def transformers4(part, layer):
    return f"{part}.text_model.{layer}" if part == "text_encoder" else f"{part}.{layer}"


def only(matrices, part):
    return {key: pair for key, pair in matrices.items() if key[0] == part}


# ---------------------------------------------------------------- formats


@pytest.mark.parametrize("part", ["unet", "text_encoder", "both"])
@pytest.mark.parametrize("name", [diffusers, transformers4])
def test_diffusers_files(tmp_path, matrices, part, name):
    chosen = only(matrices, part) if part != "both" else matrices
    same(written(tmp_path / "own.safetensors", chosen, name), chosen)


@pytest.mark.parametrize("kind", ["lora", "lora_linear_layer"])
def test_older_endings(tmp_path, matrices, kind):
    kinds = (f"{kind}.down.weight", f"{kind}.up.weight")
    same(written(tmp_path / "old.safetensors", matrices, transformers4, kinds), matrices)


def test_the_oldest_names(tmp_path, matrices):
    """Attention processors with `to_out_lora.down`, for the U-Net's and the text encoder's attention."""
    chosen = {key: pair for key, pair in matrices.items() if ".attn" in key[1] or "self_attn" in key[1]}
    named = {
        f"{oldest(*key)}_lora.{kind}.weight": value for key, pair in chosen.items() for kind, value in zip(("down", "up"), pair)
    }
    save_file(named, tmp_path / "oldest.safetensors")
    same(tmp_path / "oldest.safetensors", chosen)


def oldest(part, layer):
    """The name that a layer had when attention processors held the matrices."""
    name = transformers4(part, layer).removesuffix(".0")
    for now, old in {"q_proj": "to_q", "out_proj": "to_out", "attn1.": "attn1.processor.", "attn2.": "attn2.processor."}.items():
        name = name.replace(now, old)
    return name


@pytest.mark.parametrize("part", ["unet", "text_encoder", "both"])
def test_kohyas_files_with_an_alpha_per_layer(tmp_path, matrices, part):
    chosen = only(matrices, part) if part != "both" else matrices
    alphas = {f"{kohya(*key)}.alpha": torch.tensor(float(i + 1)) for i, key in enumerate(chosen)}
    number = {layer: i + 1 for i, (_, layer) in enumerate(chosen)}
    path = written(tmp_path / "friend.safetensors", chosen, kohya, ("lora_down.weight", "lora_up.weight"), **alphas)
    same(path, chosen, lambda layer, rank: number[layer] / rank)


def test_kohyas_other_prefix_and_matrices_for_1x1_convolutions(tmp_path, matrices):
    def flat(layer, value):
        return value.flatten(1) if layer.endswith("proj_in") else value

    chosen = {key: tuple(flat(key[1], value) for value in pair) for key, pair in matrices.items()}
    path = written(
        tmp_path / "friend.safetensors",
        chosen,
        lambda *key: kohya(*key).replace("lora_te_", "lora_te1_"),
        ("lora_down.weight", "lora_up.weight"),
    )
    same(path, matrices)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # of transformers 5.23 and peft 0.21
@pytest.mark.parametrize("part", ["unet", "text_encoder"])
@pytest.mark.parametrize("settings", [{"lora_alpha": 5}, {"lora_alpha": 4, "use_rslora": True}])
def test_a_folder_of_peft_is_loaded_as_peft_computes_it(tmp_path, part, settings):
    """Written by peft itself, with another rank and alpha for one of the layers."""
    pipe, targets = pipeline(), list({"unet": UNET, "text_encoder": TEXT}[part])
    model = get_peft_model(
        getattr(pipe, part),
        LoraConfig(
            r=2,
            rank_pattern={targets[0]: 4},
            alpha_pattern={targets[0]: 3},
            target_modules=targets,
            init_lora_weights=False,
            **settings,
        ),
    )
    model.save_pretrained(tmp_path / "own")
    got, theirs = loaded(tmp_path / "own"), draw(pipe)
    assert_close(draw(got), theirs, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(theirs, draw(pipeline()), atol=0.05)
    assert torch.equal(draw(loaded(tmp_path / "own" / "adapter_model.safetensors")), draw(got))
    (tmp_path / "own" / "adapter_config.json").unlink()
    refused(tmp_path / "own", "adapter_config.json is not beside it, which holds its scale")


def test_the_librarys_own_writer_of_both_parts(tmp_path, matrices):
    """With metadata: alpha and patterns for the U-Net and the text encoder."""
    states = {
        part: {
            f"{layer}.{kind}.weight": value
            for (_, layer), pair in only(matrices, part).items()
            for kind, value in zip(("lora_A", "lora_B"), pair)
        }
        for part in KOHYA
    }
    facts = {"unet": {"r": 2, "lora_alpha": 4}, "text_encoder": {"r": 2, "lora_alpha": 1, "alpha_pattern": {"out_proj": 6}}}
    StableDiffusionPipeline.save_lora_weights(
        tmp_path,
        unet_lora_layers=states["unet"],
        text_encoder_lora_layers=states["text_encoder"],
        unet_lora_adapter_metadata=facts["unet"],
        text_encoder_lora_adapter_metadata=facts["text_encoder"],
    )
    own = dict.fromkeys(UNET, 4) | dict.fromkeys(TEXT, 1) | {"encoder.layers.1.self_attn.out_proj": 6}
    same(tmp_path, matrices, lambda layer, rank: own[layer] / rank)


def test_two_loras_one_of_them_of_the_text_encoder_alone(tmp_path, matrices):
    paths = {part: written(tmp_path / f"{part}.safetensors", only(matrices, part), diffusers) for part in KOHYA}
    pipe = loaded(paths["text_encoder"])
    models.load_lora(pipe, paths["unet"], "more", weight=0.5)
    assert lora.present(pipe) == {"lora": 1.0, "more": 0.5}
    assert_close(draw(pipe), merged(matrices, lambda layer, rank: 0.5 if layer in UNET else 1.0), rtol=1e-3, atol=1e-3)


def test_half_precision_in_the_file_and_in_the_pipeline(tmp_path, matrices):
    halves = {key: tuple(value.half() for value in pair) for key, pair in matrices.items()}
    path = written(tmp_path / "half.safetensors", halves, diffusers)
    for dtype in (torch.float32, torch.float16):
        pipe = pipeline(dtype)
        models.load_lora(pipe, path)
        assert {p.dtype for part in KOHYA for p in getattr(pipe, part).parameters()} == {dtype}
    assert_close(draw(loaded(path)), merged(matrices), rtol=2e-2, atol=2e-2)


# ---------------------------------------------------------------- what is refused


def refused(path, words):
    """load_lora() refuses it in one sentence with these words, and the pipeline stays as it was."""
    pipe = pipeline()
    with pytest.raises(EduError) as caught:
        models.load_lora(pipe, path)
    text = str(caught.value)
    assert words in text and "\n" not in text and len(text) < 600
    assert not pipe.get_list_adapters() and not [n for n, _ in pipe.unet.named_modules() if "lora" in n]


OTHER = {
    "a DoRA of Kohya's programs": ("a DoRA (it holds", ["lora_unet_mid_block_attentions_0_proj_in.dora_scale"]),
    "a DoRA of peft's": ("a DoRA (it holds", ["unet.mid_block.attentions.0.proj_in.lora_magnitude_vector"]),
    "LoHa": ("a LoHa", ["lora_unet_mid_block_attentions_0_proj_in.hada_w1_a"]),
    "LoKr": ("a LoKr", ["lora_unet_mid_block_attentions_0_proj_in.lokr_w1"]),
    "OFT": ("an OFT", ["lora_unet_mid_block_attentions_0_proj_in.oft_diag"]),
    "LoCon": ("a LoCon with a core tensor", ["lora_unet_mid_block_resnets_0_conv1.lora_mid.weight"]),
    "biases": ("a LoRA with biases", ["unet.mid_block.attentions.0.proj_in.lora_B.bias"]),
    "differences": ("a full difference of weights", ["lora_unet_mid_block_attentions_0_proj_in.diff"]),
}


@pytest.mark.parametrize("kind", OTHER)
def test_another_kind_of_adapter_beside_a_lora(tmp_path, matrices, kind):
    words, names = OTHER[kind]
    style = kohya if names[0].startswith("lora_") else diffusers
    kinds = ("lora_down.weight", "lora_up.weight") if style is kohya else ("lora_A.weight", "lora_B.weight")
    path = written(tmp_path / "other.safetensors", matrices, style, kinds, **{name: torch.ones(2) for name in names})
    refused(path, f"is {words}")
    refused(path, "ask for the same style trained as a LoRA")
    save_file({name: torch.ones(2) for name in names}, path)
    refused(path, f"is {words}")


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"use_dora": True}, "of the kind DoRA"),
        ({"peft_type": "LOHA"}, "of the kind LOHA"),
        ({"init_lora_weights": "pissa_niter_4"}, "began as pissa_niter_4, which changes the model's weights"),
        ({"lora_alpha": "x"}, "could not convert"),
        ({"lora_alpha": 1e999}, "its scale"),
        ({"alpha_pattern": {"(": 1}}, "is not part"),
    ],
)
def test_settings_of_peft_that_say_something_else(tmp_path, matrices, settings, words):
    written(tmp_path / "adapter_model.safetensors", matrices, lambda part, layer: f"base_model.model.{layer}")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "lora_alpha": 2, "r": 2, **settings}))
    refused(tmp_path, words)


@pytest.mark.parametrize(
    "change, words",
    [
        (
            lambda named: named.update({"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": torch.zeros(2, 32)}),
            "it changes lora_te2_text_model_encoder_layers_0_mlp_fc1, which this pipeline does not have",
        ),
        (
            lambda named: named.update({k.replace("unet.", "base_model.model."): v.clone() for k, v in named.items()}),
            "in two formats",
        ),
        (lambda named: named.update({k: v * torch.inf for k, v in named.items()}), "numbers that are not finite"),
        (lambda named: named.update({k: v[:0] for k, v in named.items() if "lora_A" in k}), "and the weight is"),
        (lambda named: named.update({k: torch.tensor(1.0) for k in named}), "it has () and (), and the weight is"),
        (lambda named: named.update({k: v[..., :1] for k, v in named.items()}), "it was made for another model"),
        (lambda named: named.clear(), "it holds nothing"),
    ],
)
def test_damaged_files(tmp_path, matrices, change, words):
    named = load_file(written(tmp_path / "one.safetensors", only(matrices, "unet"), diffusers))
    change(named)
    save_file({name: value.contiguous() for name, value in named.items()}, tmp_path / "one.safetensors")
    refused(tmp_path / "one.safetensors", words)


def test_a_model_is_no_lora(tmp_path):
    models.save(pipeline(), tmp_path / "base")
    refused(tmp_path / "base" / "vae" / "diffusion_pytorch_model.safetensors", "is not a LoRA: it is a VAE alone")


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), None, "1"])
def test_a_weight_must_be_a_finite_number(tmp_path, matrices, weight):
    path, pipe = written(tmp_path / "own.safetensors", matrices, diffusers), pipeline()
    with pytest.raises(EduError, match="is not possible: give a finite number"):
        models.load_lora(pipe, path, weight=weight)
    assert not pipe.get_list_adapters()


@pytest.mark.parametrize("part", KOHYA)
def test_a_failure_half_way_leaves_nothing_behind(tmp_path, matrices, monkeypatch, part):
    def fails(*args, **kwargs):
        raise RuntimeError("no more memory\nsecond line")

    monkeypatch.setattr(StableDiffusionPipeline, f"load_lora_into_{part}", fails)
    refused(written(tmp_path / "own.safetensors", matrices, diffusers), "no more memory")
