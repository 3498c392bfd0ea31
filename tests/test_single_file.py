"""One .safetensors file with the original key names: written, opened here and by vanilla diffusers, refused."""

import json
import os

import pytest
import tiny
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.loaders import single_file_utils as library
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from edu_diffusion import models
from edu_diffusion.cli import main
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.models import original, single_file, weights

BASE = files.PACKAGE / "checkpoints" / "base"
UNET, VAE, TEXT = (original.PREFIX[part] for part in ("unet", "vae", "text_encoder"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return models.to_single_file("base", tmp_path_factory.mktemp("single") / "base.safetensors")


def picture(pipe):
    """(1, 3, 64, 64) in [0, 1], in two steps."""
    pipe.set_progress_bar_config(disable=True)
    return tiny.vanilla(pipe, "a cat face on a blue background", num_inference_steps=2, output_type="pt")


# ---------------------------------------------------------------- the same picture


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_the_base_opens_in_vanilla_diffusers_as_folder_and_as_file(file, dtype):
    """On the CPU in both; all pictures are equal to the last bit."""
    ours = picture(models.load("base", "cpu", dtype))
    with models.quiet():
        folder = StableDiffusionPipeline.from_pretrained(BASE, dtype=dtype)
        single = StableDiffusionPipeline.from_single_file(str(file), config=str(BASE), dtype=dtype)
    assert ours.dtype == dtype and ours.shape == (1, 3, 64, 64) and ours.std() > 0.05
    for pipe in (folder, single, models.load(file, "cpu", dtype)):
        assert {pipe.unet.dtype, pipe.vae.dtype, pipe.text_encoder.dtype} == {dtype}
        assert torch.equal(picture(pipe), ours)


def test_a_file_is_whole_again_as_a_folder(file, tmp_path):
    """Folder to file to folder: the same bytes, but for a prefix that transformers adds to names at will."""
    models.save(models.load(file, "cpu"), tmp_path / "again")
    models.save(models.load("base", "cpu"), tmp_path / "once")
    again, once = files.checksums(tmp_path / "again"), files.checksums(tmp_path / "once")
    text = "text_encoder/model.safetensors"
    assert {**again, text: ""} == {**once, text: ""}
    again, once = (weights.modern(load_file(tmp_path / name / text)) for name in ("again", "once"))
    assert again.keys() == once.keys() and all(torch.equal(again[name], once[name]) for name in once)


def test_the_same_model_is_the_same_file(file, tmp_path):
    again = models.to_single_file(models.load(file, "cpu"), tmp_path / "again.safetensors")
    assert files.sha256(again) == files.sha256(file)
    (plain := tmp_path / "plain").touch()
    assert again.stat().st_mode == plain.stat().st_mode


def test_weights_can_stay_in_full_precision(tmp_path):
    """Random weights of another shape of model, which fp16 would change."""
    pipe = tiny.pipeline()
    single = models.to_single_file(pipe, tmp_path / "full.safetensors", torch.float32)
    assert torch.equal(picture(models.load(single, "cpu")), picture(pipe))
    half = load_file(models.to_single_file(pipe, tmp_path / "half.safetensors"))
    assert {tensor.dtype for tensor in half.values()} == {torch.float16}


# ---------------------------------------------------------------- the names


def big(kind):
    """Stable Diffusion 1.5's U-Net and VAE, without memory for their weights."""
    with torch.device("meta"):
        if kind == "unet":
            return UNet2DConditionModel(cross_attention_dim=768)
        return AutoencoderKL(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
        )


@pytest.mark.parametrize(
    "part, model, count, convert",
    [
        ("unet", lambda: big("unet"), 686, library.convert_ldm_unet_checkpoint),
        ("vae", lambda: big("vae"), 248, library.convert_ldm_vae_checkpoint),
        ("unet", models.build_unet, None, library.convert_ldm_unet_checkpoint),
        ("vae", models.build_vae, None, library.convert_ldm_vae_checkpoint),
    ],
    ids=["SD 1.5's U-Net", "SD 1.5's VAE", "tiny U-Net", "tiny VAE"],
)
def test_the_library_finds_every_tensor_in_its_place(part, model, count, convert):
    model = model()
    names = original.original_names(part, model)
    assert count in (None, len(names)) and len(set(names.values())) == len(names)
    marked = {original: torch.full((1,), i) for i, original in enumerate(names.values())}
    found = convert(marked, config=dict(model.config))
    assert list(names) == [name for name, _ in sorted(found.items(), key=lambda item: item[1].item())]


def test_names_that_everybody_knows():
    """As in the files of Stable Diffusion 1.5; the third is of the first level up, which has no attention."""
    unet, vae = (set(original.original_names(kind, big(kind)).values()) for kind in ("unet", "vae"))
    for name in (
        "time_embed.0.weight",
        "input_blocks.3.0.op.weight",
        "output_blocks.2.1.conv.weight",
        "output_blocks.5.2.conv.bias",
        "middle_block.2.out_layers.3.bias",
        "out.2.weight",
        "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "input_blocks.4.0.skip_connection.bias",
    ):
        assert UNET + name in unet
    for name in (
        "encoder.down.0.downsample.conv.weight",
        "decoder.up.3.block.0.conv1.weight",
        "decoder.mid.attn_1.proj_out.weight",
        "encoder.mid.block_2.norm1.bias",
        "quant_conv.weight",
    ):
        assert VAE + name in vae


def test_the_text_encoder_and_the_attention_of_the_vae(file):
    with safe_open(file, "pt") as opened:
        shape = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
    assert shape[TEXT + "embeddings.token_embedding.weight"] == (3072, models.WIDTH)
    assert shape[VAE + "encoder.mid.attn_1.q.weight"] == (64, 64, 1, 1)  # a convolution, not a matrix
    assert {name.split(".")[0] for name in shape} == {"model", "first_stage_model", "cond_stage_model"}


# ---------------------------------------------------------------- what is refused, what is taken


@pytest.fixture
def changed(file, tmp_path):
    """Write the file once more with `change` made to its {name: tensor}, and with other metadata if given."""

    def write(change=lambda named: None, name="changed.safetensors", **metadata):
        change(named := load_file(file))
        with safe_open(file, "pt") as opened:
            save_file(named, tmp_path / name, {**opened.metadata(), **metadata})
        return tmp_path / name

    return write


def refused(path, words, **options):
    with pytest.raises(EduError) as caught:
        models.load(path, "cpu", **options)
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda named: named.pop(UNET + "out.2.bias"), f"it lacks {UNET}out.2.bias."),
        (lambda named: named.pop(TEXT + "final_layer_norm.bias"), f"it lacks {TEXT}final_layer_norm.bias."),
        (lambda named: named.update({VAE + "more": torch.zeros(2)}), f"it also has {VAE}more."),
        (lambda named: named.update({"lora.up": torch.zeros(2)}), "it also has lora.up."),
        (lambda named: named.update({UNET + "out.2.bias": torch.zeros(5)}), f"{UNET}out.2.bias (5,) (not (4,))"),
    ],
)
def test_tensors_must_be_those_of_the_configuration(changed, change, words):
    refused(changed(change), words)


def test_what_other_programs_add_is_taken(changed, file):
    """The original's files hold the noise schedule, averaged weights and positions; some write matrices."""

    def as_others(named):
        for name in [name for name in named if ".mid.attn_1." in name and named[name].ndim == 4]:
            named[name] = named[name][:, :, 0, 0].contiguous()
        named.update(
            {
                "betas": torch.zeros(1000),
                "model_ema.decay": torch.zeros(1),
                TEXT + "embeddings.position_ids": torch.arange(models.TOKENS)[None],
            }
        )

    assert torch.equal(picture(models.load(changed(as_others), "cpu")), picture(models.load(file, "cpu")))


def test_damaged_and_other_files_are_refused(file, tmp_path):
    content = file.read_bytes()
    for bad in (content[:1000], content[:-1], b"<html>404</html>", b""):
        (tmp_path / "bad.safetensors").write_bytes(bad)
        refused(tmp_path / "bad.safetensors", "is not a complete .safetensors file")
    (tmp_path / "model.ckpt").write_bytes(content)
    refused(tmp_path / "model.ckpt", "is a pickle, which can run arbitrary code when it is opened")
    (tmp_path / "notes.txt").write_text("notes")
    refused(tmp_path / "notes.txt", "is not a .safetensors file")
    refused(BASE / "unet" / "diffusion_pytorch_model.safetensors", "is a U-Net alone", config="base")
    refused("nothing.safetensors", "There is no model 'nothing.safetensors'")


def test_a_file_without_configuration_takes_that_of_a_folder(file, tmp_path):
    save_file(load_file(file), tmp_path / "bare.safetensors")
    refused(tmp_path / "bare.safetensors", "does not contain its configuration: pass config=")
    pipe = models.load(tmp_path / "bare.safetensors", "cpu", config="base")
    assert torch.equal(picture(pipe), picture(models.load(file, "cpu")))
    tiny.pipeline().save_pretrained(tmp_path / "other")
    refused(tmp_path / "bare.safetensors", "does not match its configuration", config=tmp_path / "other")


def own_settings(file):
    with safe_open(file, "pt") as opened:
        return json.loads(opened.metadata()[single_file.KEY])


def test_a_file_writes_nothing_outside_and_brings_no_code(file, changed, tmp_path):
    evil = {**own_settings(file), "../evil.json": "{}", str(tmp_path / "evil.json"): "{}"}
    models.load(changed(edu_diffusion=json.dumps(evil)), "cpu")
    assert not (tmp_path / "evil.json").exists()
    index = json.loads(evil["model_index.json"]) | {"scheduler": ["antigravity", "Scheduler"]}
    evil["model_index.json"] = json.dumps(index)
    refused(changed(edu_diffusion=json.dumps(evil)), "code from elsewhere, ['antigravity', 'Scheduler']")


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda own: own.pop("tokenizer/tokenizer_config.json"), "it lacks tokenizer/tokenizer_config.json"),
        (lambda own: own.update({"unet/config.json": "{"}), "unet/config.json is not part of"),
        (lambda own: own.update({"unet/config.json": 3}), "is not part of a valid Stable Diffusion"),
    ],
)
def test_a_broken_configuration_is_refused_by_the_file_s_name(file, changed, change, words):
    own = own_settings(file)
    change(own)
    path = changed(edu_diffusion=json.dumps(own))
    refused(path, words)
    refused(path, str(path))


def test_a_pipeline_with_an_adapter_is_refused_and_the_old_file_stays(tmp_path):
    from peft import LoraConfig

    pipe, path = tiny.pipeline(), tmp_path / "old.safetensors"
    path.write_text("old")
    pipe.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    with pytest.raises(EduError, match="has an adapter in it, which must be fused or unloaded first"):
        models.to_single_file(pipe, path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["old.safetensors"]


def test_learned_words_are_kept(tmp_path):
    pipe = tiny.pipeline()
    pipe.load_textual_inversion({"<cup>": torch.ones(2, 32)})
    again = models.load(models.to_single_file(pipe, tmp_path / "learned.safetensors"), "cpu")
    assert again.tokenizer("<cup> <cup>_1").input_ids == pipe.tokenizer("<cup> <cup>_1").input_ids
    assert torch.equal(again.text_encoder.get_input_embeddings().weight[-2:], torch.ones(2, 32))


@pytest.mark.parametrize("name", ["model.ckpt", "no/model.safetensors"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, name):
    with pytest.raises(EduError, match="cannot be written"):
        models.to_single_file("base", tmp_path / name)


def test_the_verb_export(monkeypatch, capsys, tmp_path, file):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    assert main.main(["export", "base", str(tmp_path / "base.safetensors")]) == 0
    short = files.sha256(file)[:10]
    assert capsys.readouterr().out == f"{tmp_path / 'base.safetensors'} (17.2 MB, half precision, model hash {short})\n"
    assert files.sha256(tmp_path / "base.safetensors") == files.sha256(file)
    assert main.main(["export", "base", str(tmp_path / "base.bin")]) == 2
