"""Files from strangers: other names and variants are loaded, parts are named, absurd configurations cost no memory."""

import json
import os
import shutil
import socket
import threading

import pytest
import tiny
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from edu_diffusion import models
from edu_diffusion.errors import EduError
from edu_diffusion.models import hub, kinds, settings, weights

pytestmark = pytest.mark.fault("wrong")

STEMS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    models.save(tiny.pipeline(), target := tmp_path_factory.mktemp("pipes") / "tiny")
    return target


@pytest.fixture(scope="module")
def file(folder):
    return models.to_single_file(folder, folder.parent / "tiny.safetensors")


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the folder to break, without its checksums."""
    return shutil.copytree(folder, tmp_path / "copy", ignore=shutil.ignore_patterns("card.json"))


@pytest.fixture
def small():
    """No more than 300 MB are taken while the test runs, where the system can say so."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def weight_file(root, part):
    return root / part / f"{STEMS[part]}.safetensors"


def draw(pipe):
    return tiny.vanilla(pipe, "a cat", num_inference_steps=1)


def tensors(path, change):
    """Change the {name: tensor} of a weight file and keep its metadata."""
    named = load_file(path)
    with safe_open(path, "pt") as opened:
        metadata = opened.metadata()
    change(named)
    path.unlink()
    save_file(named, path, metadata)


def configure(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


def refused(call, *words):
    """The call raises an EduError of one sentence that has all these words."""
    with pytest.raises(EduError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    for word in words:
        assert word in text


def load(where, **options):
    return lambda: models.load(where, "cpu", **options)


# ---------------------------------------------------------------- checkpoints that are taken

REST = {"logit_scale": (), "text_projection.weight": (32, 32)}  # of a whole CLIP, which mergers leave in


@pytest.mark.parametrize("prefix", ["", "text_model."])
def test_a_text_encoder_with_more_of_clip_and_with_both_prefixes(folder, copy, prefix):
    def change(named):
        for name in list(named):
            named[prefix + name.removeprefix("text_model.")] = named.pop(name)
        named.update({name: torch.ones(shape) for name, shape in REST.items()})

    tensors(weight_file(copy, "text_encoder"), change)
    assert torch.equal(draw(models.load(copy, "cpu")), draw(models.load(folder, "cpu")))


def test_the_same_in_another_part_is_refused(copy):
    tensors(weight_file(copy, "unet"), lambda named: named.update(logit_scale=torch.ones(2)))
    refused(load(copy), "it also has logit_scale")


@pytest.mark.parametrize(
    "short, extra",
    [
        (True, {}),
        (False, {"cond_stage_model.logit_scale": (), "cond_stage_model.text_projection": (32, 32)}),
        (
            True,
            {
                "cond_stage_model.transformer.text_projection.weight": (32, 32),
                "cond_stage_model.transformer.text_model.logit_scale": (),
            },
        ),
    ],
)
def test_a_single_file_with_more_of_clip_and_without_the_prefix(folder, file, tmp_path, short, extra):
    def change(named):
        for name in [name for name in named if short and name.startswith("cond_stage_model.")]:
            named[name.replace("transformer.text_model.", "transformer.")] = named.pop(name)
        named.update({name: torch.ones(shape) for name, shape in extra.items()})

    tensors(path := shutil.copy(file, tmp_path / "merged.safetensors"), change)
    torch.manual_seed(7)
    pipe = models.load(path, "cpu")
    assert torch.equal(draw(pipe), draw(models.load(folder, "cpu"))) and not pipe.text_encoder.training
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    models.load(path, "cpu")
    assert torch.equal(torch.rand(1), expected)  # loading draws no random numbers


@pytest.mark.parametrize("parts", [["unet", "vae", "text_encoder"], ["unet"], ["text_encoder"]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_folder_with_weights_in_half_precision_only(folder, copy, parts, dtype):
    for part in parts:
        path = weight_file(copy, part)
        path.rename(path.with_name(f"{STEMS[part]}.fp16.safetensors"))
    assert weights.variant(copy) == "fp16" and weights.variant(folder) is None
    pipe = models.load(copy, "cpu", dtype)
    assert {p.dtype for part in STEMS for p in getattr(pipe, part).parameters()} == {dtype}
    assert torch.equal(draw(pipe), draw(models.load(folder, "cpu", dtype)))
    tensors(copy / parts[0] / f"{STEMS[parts[0]]}.fp16.safetensors", lambda named: named.popitem())
    refused(load(copy), "does not match its configuration: it lacks")


def test_shards_in_half_precision(folder, tmp_path):
    pipe = models.load(folder, "cpu")
    pipe.save_pretrained(tmp_path / "many", variant="fp16", max_shard_size="300KB")
    assert len(list((tmp_path / "many" / "unet").glob("*fp16-*.safetensors"))) > 1
    assert torch.equal(draw(models.load(tmp_path / "many", "cpu")), draw(pipe))


def test_both_variants_are_the_plain_one(folder, copy):
    for part in STEMS:
        save_file({"wrong": torch.zeros(1)}, copy / part / f"{STEMS[part]}.fp16.safetensors")
    assert torch.equal(draw(models.load(copy, "cpu")), draw(models.load(folder, "cpu")))


@pytest.mark.parametrize("name", ["bilder für später", "a b", "名前", "it's $HOME"])
def test_names_with_accents_and_spaces(folder, file, tmp_path, name):
    shutil.copytree(folder, tmp_path / name)
    shutil.copy(file, tmp_path / f"{name}.safetensors")
    assert torch.equal(draw(models.load(tmp_path / name, "cpu")), draw(models.load(tmp_path / f"{name}.safetensors", "cpu")))


# ---------------------------------------------------------------- files of one part


def part_file(part, prefix=""):
    return {prefix + name: value.contiguous() for name, value in getattr(tiny.pipeline(), part).state_dict().items()}


def of_file(start, strip=False):
    return lambda file: {
        name.removeprefix(start if strip else ""): value for name, value in load_file(file).items() if name.startswith(start)
    }


ALONE = {
    "the library's U-Net": (lambda file: part_file("unet"), "is a U-Net alone"),
    "the original's U-Net": (of_file("model.diffusion_model."), "is a U-Net alone"),
    "the original's U-Net without prefix": (of_file("model.diffusion_model.", True), "is a U-Net alone"),
    "the library's VAE": (lambda file: part_file("vae"), "is a VAE alone"),
    "the original's VAE": (of_file("first_stage_model."), "is a VAE alone"),
    "the original's VAE without prefix": (of_file("first_stage_model.", True), "is a VAE alone"),
    "text encoder": (lambda file: part_file("text_encoder"), "is a text encoder alone"),
    "older text encoder": (lambda file: part_file("text_encoder", "text_model."), "is a text encoder alone"),
    "all but the VAE": (lambda file: of_file("model.")(file) | of_file("cond_")(file), "is a U-Net and a text encoder alone"),
    "LoRA": (lambda file: {"unet.mid_block.attentions.0.proj_in.lora_A.weight": torch.ones(2, 64)}, "is a LoRA"),
    "Kohya's LoRA": (lambda file: {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight": torch.ones(2, 64)}, "is a LoRA"),
    "LyCORIS": (lambda file: {"lora_unet_mid_block_attentions_0_proj_in.hada_w1_a": torch.ones(2, 64)}, "is a LoRA or another"),
    "ControlNet": (lambda file: models.build_controlnet(tiny.unet()).state_dict(), "is a ControlNet alone"),
    "the original's ControlNet": (lambda file: {"control_model.input_hint_block.0.weight": torch.ones(2)}, "is a ControlNet alone"),
    "words": (lambda file: {"<cat>": torch.ones(2, 32)}, "is a textual inversion"),
    "AUTOMATIC1111's words": (lambda file: {"emb_params": torch.ones(2, 32)}, "is a textual inversion"),
    "hypernetwork": (lambda file: {"32.k.linear.0.weight": torch.ones(2, 2)}, "is a hypernetwork"),
    "half of an SDXL": (
        lambda file: {"conditioner.embedders.0.transformer.x": torch.ones(2), "model.diffusion_model.x": torch.ones(2)},
        "is a U-Net and a text encoder alone",
    ),
    "SDXL's refiner": (
        lambda file: {
            "conditioner.embedders.0.model.x": torch.ones(2),
            "first_stage_model.x": torch.ones(2),
            "model.diffusion_model.x": torch.ones(2),
        },
        "is the refiner of Stable Diffusion XL",
    ),
    "half of an SD 2": (lambda file: {"cond_stage_model.model.x": torch.ones(2)}, "is a text encoder alone"),
}


@pytest.mark.parametrize("kind", ALONE)
def test_a_file_that_is_something_else_is_named(file, folder, tmp_path, kind):
    make, words = ALONE[kind]
    save_file(make(file), tmp_path / "one.safetensors")
    refused(load(tmp_path / "one.safetensors"), words, "one.safetensors")
    refused(load(tmp_path / "one.safetensors", config=folder), words)
    (tmp_path / "in_a_folder").mkdir()
    shutil.move(tmp_path / "one.safetensors", tmp_path / "in_a_folder")
    refused(load(tmp_path / "in_a_folder"), "it lacks model_index.json", words)


def test_clip_is_named(tmp_path):
    words = tiny.tokenizer()
    clip = models.build_clip(len(words), words.bos_token_id, words.eos_token_id)
    clip.save_pretrained(tmp_path)
    refused(load(tmp_path / "model.safetensors"), "is a whole CLIP: give load_clip() its folder")


def test_a_whole_file_and_an_unknown_one_are_not_named(file):
    assert not kinds.alone(weights.header(file)) and not kinds.alone({"some.thing": (3,)})
    assert not kinds.alone({}) and not kinds.alone({"a": (3,), "b": (3,), "c": (3,)})


def test_a_folder_without_its_index(copy):
    (copy / "model_index.json").unlink()
    refused(load(copy), "it lacks model_index.json")


# ---------------------------------------------------------------- absurd numbers

CONFIG = {part: f"{part}/config.json" for part in STEMS} | {"scheduler": "scheduler/scheduler_config.json"}
ABSURD = [
    ("unet", {"sample_size": 4096}, "sample_size is 4096"),
    ("vae", {"sample_size": 4096}, "sample_size is 4096"),
    ("unet", {"sample_size": [64, 0]}, "sample_size is [64, 0]"),
    ("unet", {"sample_size": 8.5}, "sample_size is 8.5"),
    ("unet", {"block_out_channels": [999999]}, "block_out_channels is [999999]"),
    ("unet", {"block_out_channels": [32, 0]}, "block_out_channels is [32, 0]"),
    ("unet", {"block_out_channels": [32, -64]}, "block_out_channels is [32, -64]"),
    ("unet", {"block_out_channels": ["32", "64"]}, "block_out_channels is"),
    ("unet", {"layers_per_block": 10**9}, "layers_per_block is 1000000000"),
    ("unet", {"layers_per_block": 150}, "many times larger than its weights"),
    ("unet", {"transformer_layers_per_block": 10**9}, "transformer_layers_per_block is"),
    ("unet", {"attention_head_dim": 0}, "attention_head_dim is 0"),
    ("unet", {"attention_head_dim": True}, "attention_head_dim is True"),
    ("unet", {"norm_num_groups": 0}, "norm_num_groups is 0"),
    ("unet", {"class_embed_type": "timestep", "time_embedding_dim": 10**7}, "many times larger than its weights"),
    ("vae", {"layers_per_block": 10**9}, "layers_per_block is"),
    ("vae", {"latent_channels": -4}, "latent_channels is -4"),
    ("text_encoder", {"num_hidden_layers": 10**9}, "num_hidden_layers is"),
    ("text_encoder", {"vocab_size": 10**18}, "vocab_size is"),
    ("text_encoder", {"hidden_size": -1}, "hidden_size is -1"),
    ("text_encoder", {"num_attention_heads": 0}, "num_attention_heads is 0"),
    ("scheduler", {"num_train_timesteps": 10**12}, "num_train_timesteps is"),
    ("scheduler", {"num_train_timesteps": 0}, "is 0"),
    ("scheduler", {"beta_start": -5.0}, "beta_start is -5.0, but must be between 0 and 1"),
    ("scheduler", {"beta_end": 1e999}, "beta_end is inf"),
    ("scheduler", {"beta_end": None}, "beta_end is None"),
    ("scheduler", {"trained_betas": [0.1, 3.0]}, "noise schedule is impossible"),
    ("vae", {"scaling_factor": 0}, "scaling_factor is 0, but must be above 0"),
    ("vae", {"scaling_factor": 1e999}, "must be above 0"),
]


@pytest.mark.parametrize("part, changes, words", ABSURD, ids=str)
def test_absurd_numbers_are_refused_before_memory_is_taken(copy, small, part, changes, words):
    configure(copy / CONFIG[part], **changes)
    refused(load(copy), words)


@pytest.mark.parametrize("part, changes, words", [row for row in ABSURD if row[0] != "scheduler"], ids=str)
def test_the_same_beside_a_single_file(copy, file, small, part, changes, words):
    configure(copy / CONFIG[part], **changes)
    refused(load(file, config=copy), words)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"block_out_channels": [999999] * 2}, "block_out_channels is"),
        ({"layers_per_block": 10**9}, "layers_per_block is"),
        ({"conditioning_embedding_out_channels": [10**9] * 3}, "conditioning_embedding_out_channels is"),
    ],
)
def test_absurd_controlnets(tmp_path, small, changes, words):
    models.save_control(models.build_controlnet(tiny.unet()), tmp_path / "net")
    (tmp_path / "net" / "card.json").unlink()
    configure(tmp_path / "net" / "config.json", **changes)
    refused(lambda: models.load_control(tmp_path / "net"), words)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is"),
        ({"patch_size": 0}, "patch_size is 0"),
        ({"image_size": 10**6}, "many times larger than its weights"),
    ],
)
def test_absurd_clips(tmp_path, small, changes, words):
    tokenizer = tiny.tokenizer()
    models.build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    tokenizer.backend_tokenizer.model.save(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    configure(tmp_path / "config.json", vision_config=config["vision_config"] | changes)
    refused(lambda: models.load_clip(tmp_path, "cpu"), words)


@pytest.mark.parametrize(
    "facts, words",
    [
        ({"layer_structure": "[1, 1000000, 1]"}, "one.safetensors"),
        ({"layer_structure": "3"}, "one.safetensors"),
        ({"activation_func": None}, "the activation be one of linear"),
        (None, "one.safetensors"),
    ],
)
def test_absurd_hypernetworks(tmp_path, small, facts, words):
    path = tmp_path / "one.safetensors"
    models.save_hyper(models.build_hyper([32]), path)
    with safe_open(path, "pt") as opened:
        own = json.loads(opened.metadata()["edu_diffusion_hypernetwork"])
    save_file(load_file(path), path, {"edu_diffusion_hypernetwork": json.dumps({**own, **facts} if facts else [])})
    refused(lambda: models.load_hyper(path), words)


def test_building_is_counted_in_its_own_thread_and_the_hook_is_gone(copy):
    """A network built meanwhile by another thread, as in a notebook, is its own affair."""
    held = {"w": (2, 2)}
    with settings.blank("here", held):
        other = threading.Thread(target=lambda: [torch.nn.Linear(2, 2, device="cpu") for _ in range(5000)])
        other.start()
        other.join()
        assert torch.nn.Linear(2, 2).weight.is_meta
    [torch.nn.Linear(2, 2) for _ in range(5000)]
    refused(lambda: build(held), "here describes a network many times larger than its weights, which are 1 tensors")


def build(held):
    with settings.blank("here", held):
        [torch.nn.Linear(2, 2) for _ in range(5000)]


# ---------------------------------------------------------------- strange JSON

DEEP = "[" * 100_000 + "]" * 100_000
STRANGE = {
    "NaN": ('{"a": NaN}', "it holds NaN, which is not a number"),
    "deep": (DEEP, "recursion"),
    "list": ("[1]", "holds a JSON list"),
    "pairs": ('[["a", 1]]', "holds a JSON list"),
    "number": ("3", "holds a JSON int"),
    "null": ("null", "holds a JSON NoneType"),
    "text": ("hello", "is not part of a valid"),
    "empty": ("", "is not part of a valid"),
    "digits": ("1" * 10_000, "is not part of a valid"),
}
FILES = ["model_index.json", "tokenizer/tokenizer_config.json", *CONFIG.values()]


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("name", FILES)
def test_strange_json(copy, name, kind):
    content, words = STRANGE[kind]
    (copy / name).write_text(content)
    refused(load(copy), name, words)


@pytest.mark.parametrize("name", [*FILES, "tokenizer/tokenizer.json", "unet/diffusion_pytorch_model.safetensors.index.json"])
def test_a_file_of_100_mb_is_not_read(copy, small, name):
    with open(copy / name, "wb") as file:
        file.truncate(100 << 20)  # zeros that take no room on the disk
    refused(load(copy), name, "it has 105 MB, and at most")


@pytest.mark.parametrize(
    "content", ["{}", '{"weight_map": 3}', '{"weight_map": []}', '{"weight_map": {"a": 3}}', '{"weight_map": {"a": "../../x"}}']
)
def test_a_strange_list_of_shards(copy, content):
    (copy / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(content)
    refused(load(copy), "index.json is not part of a valid")


@pytest.mark.parametrize("value", [[["x"], "y"], [{}, "y"], [], {"a": 1}, ["x"] * 10_000])
def test_strange_parts_in_the_index(copy, value):
    configure(copy / "model_index.json", unet=value)
    refused(load(copy), "expected a UNet2DConditionModel")
    configure(copy / "model_index.json", unet=["diffusers", "UNet2DConditionModel"], more=[["x"], "y"])
    refused(load(copy), "code from elsewhere")


def test_infinity_is_a_number_that_schedulers_use(copy):
    configure(copy / CONFIG["scheduler"], lambda_min_clipped=-float("inf"))
    assert "-Infinity" in (copy / CONFIG["scheduler"]).read_text()
    assert settings.read_json(copy / CONFIG["scheduler"])["lambda_min_clipped"] == -float("inf")


@pytest.mark.parametrize("length", [-1, 0, 2])
def test_prompts_of_no_tokens(copy, length):
    configure(copy / "tokenizer" / "tokenizer_config.json", model_max_length=length)
    refused(load(copy), f"truncates prompts at {length} tokens")


# ---------------------------------------------------------------- paths


@pytest.mark.parametrize(
    "call",
    [models.load, models.load_clip, models.load_control, models.load_hyper, lambda name: models.load_lora(tiny.pipeline(), name)],
)
@pytest.mark.parametrize("name", ["x" * 5000, "loop", "loop/unet", "a\0b"])
def test_paths_that_lead_nowhere(tmp_path, monkeypatch, call, name):
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    refused(lambda: call(name))


@pytest.mark.parametrize(
    "call",
    [models.load, models.load_clip, models.load_control, models.load_hyper, lambda name: models.load_lora(tiny.pipeline(), name)],
)
def test_a_name_that_is_none(call):
    refused(lambda: call(None), "None is not a name")


@pytest.mark.parametrize("dtype", [torch.int8, "float16", None])
def test_a_dtype_that_is_none(folder, dtype):
    refused(load(folder, dtype=dtype), "is not possible: use torch.float32 or torch.float16")


def test_a_loop_inside_a_folder(copy):
    shutil.rmtree(copy / "unet")
    os.symlink("unet", copy / "unet")
    refused(load(copy), "it lacks")
    (copy / "unet").unlink()
    os.symlink("..", copy / "unet")
    refused(load(copy), "it lacks")


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["unet", "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "."])
def test_a_folder_or_file_without_permission(copy, name):
    (copy / name).chmod(0)
    try:
        refused(load(copy), "cannot be read (Permission denied): check the name and its permissions")
    finally:
        (copy / name).chmod(0o755)


@pytest.mark.parametrize("method", ["is_dir", "stat", "read_text"])
def test_the_same_as_the_system_says_it(copy, monkeypatch, method):
    """What root cannot cause: the system's answer, where a path is looked at or read."""

    def denied(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(f"pathlib.Path.{method}", denied)
        refused(load(copy), "cannot be read (Permission denied): check the name and its permissions")


# ---------------------------------------------------------------- what save() refuses


def test_a_pipeline_with_an_adapter_is_not_saved_and_the_advice_works(tmp_path):
    pipe = tiny.pipeline()
    weight, name = pipe.unet.mid_block.attentions[0].proj_in.weight, "unet.mid_block.attentions.0.proj_in"
    save_file(
        {f"{name}.lora_A.weight": torch.ones(1, *weight.shape[1:]) / 9, f"{name}.lora_B.weight": torch.ones(len(weight), 1, 1, 1)},
        tmp_path / "one.safetensors",
    )
    models.load_lora(pipe, tmp_path / "one.safetensors")
    drawn = draw(pipe)
    refused(lambda: models.save(pipe, tmp_path / "saved"), "unet has an adapter in it, which must be fused or unloaded first")
    assert not (tmp_path / "saved").exists()
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    models.save(pipe, tmp_path / "saved")
    torch.testing.assert_close(draw(models.load(tmp_path / "saved", "cpu")), drawn, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("value", [1e5, float("nan")])
def test_what_half_precision_cannot_hold_is_not_saved(tmp_path, value):
    pipe, net, hyper = tiny.pipeline(), models.build_controlnet(tiny.unet()), models.build_hyper([32])
    for weight in (pipe.vae.quant_conv.weight, net.conv_in.weight, hyper[32][0][0].weight):
        torch.nn.init.constant_(weight, value)
    refused(lambda: models.save(pipe, tmp_path / "a"), "The pipeline's vae is not saved: quant_conv.weight would hold numbers")
    refused(lambda: models.to_single_file(pipe, tmp_path / "a.safetensors"), "first_stage_model.quant_conv.weight would hold")
    refused(lambda: models.save_control(net, tmp_path / "a"), "The ControlNet is not saved: conv_in.weight")
    refused(lambda: models.save_hyper(hyper, tmp_path / "a.safetensors"), "The hypernetwork is not saved: 32.k.linear.0.weight")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- the hub


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A hub on this machine; its test sets .answer, a function of the connection. Connections are closed in the end."""
    import huggingface_hub

    listener, taken = socket.create_server(("127.0.0.1", 0)), []
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", url)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    thread = threading.Thread(target=accept, args=(listener, taken), daemon=True)
    thread.start()
    yield taken
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in taken:
        connection.close()


def accept(listener, taken):
    """Take connections, and never answer."""
    try:
        while True:
            taken.append(listener.accept()[0])
    except OSError:
        pass


@pytest.mark.timeout(60)
def test_a_hub_that_never_answers_is_not_waited_for(server):
    from huggingface_hub import get_session, is_offline_mode

    before = get_session().event_hooks
    refused(load("someone/tiny", online=True), "could not be downloaded from the hub", "timed out", "check the id and the network")
    assert server, "the hub was asked"
    assert is_offline_mode() and get_session().event_hooks == before


def test_a_request_with_a_limit_keeps_it():
    class Request:
        extensions = {"timeout": {"connect": 3.0, "read": None}}

    hub.limit(request := Request())
    assert request.extensions["timeout"] == {"connect": 3.0, "read": hub.PATIENCE, "write": hub.PATIENCE, "pool": hub.PATIENCE}


def test_a_hub_id_in_half_precision_only(monkeypatch, folder):
    from diffusers import StableDiffusionPipeline

    asked = []

    def download(name, variant=None, **how):
        asked.append(variant)
        if variant is None:
            raise OSError("Could not find the necessary `safetensors` weights in [...] (variant=None)")
        return folder

    monkeypatch.setattr(StableDiffusionPipeline, "download", download)
    assert models.path_of("someone/tiny", online=True) == folder and asked == [None, "fp16"]
