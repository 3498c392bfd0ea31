"""The tiny configurations, the tokenizer, saving and loading, and which files are refused."""

import json
import os
import shutil

import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.steps import embed

SENTENCES = ["a small cat face on a blue background, twemoji style", "an ear of corn", "two foxes"] * 30


@pytest.fixture(scope="module")
def tokenizer():
    return models.build_tokenizer(SENTENCES, 700)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    """A pipeline folder with random weights."""
    torch.manual_seed(0)
    clip = models.build_clip(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id)
    clip.save_pretrained(where := tmp_path_factory.mktemp("clip"))
    from transformers import CLIPTextModel

    with models.quiet():
        text = CLIPTextModel.from_pretrained(where)
    target = tmp_path_factory.mktemp("pipes") / "tiny"
    pipe = models.assemble(models.build_vae(), text, tokenizer, models.build_unet())
    models.save(pipe, target, {"seed": 0})
    return target


def test_sizes_are_as_the_design_says():
    built = {"vae": models.build_vae(), "unet": models.build_unet()}
    count = {name: sum(p.numel() for p in model.parameters()) for name, model in built.items()}
    assert 0.6e6 < count["vae"] < 0.8e6 and 6e6 < count["unet"] <= 8e6


def test_vae_has_factor_four():
    vae = models.build_vae()
    assert vae.encode(torch.zeros(1, 3, 64, 64)).latent_dist.mean.shape == (1, 4, 16, 16)


@pytest.mark.parametrize("text", [s for s in SENTENCES[:3]] + ["zebra? ünïcode 🐱 qxz", "~`", "日本"])
def test_the_tokenizer_loses_nothing(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert ids[0] == tokenizer.bos_token_id and ids[-1] == tokenizer.eos_token_id
    assert tokenizer.eos_token_id not in ids[1:-1]  # an unknown letter must not end the prompt
    assert tokenizer.decode(ids[1:-1]).replace(" ", "") == text.replace(" ", "")


def test_familiar_words_are_one_token(tokenizer):
    assert len(tokenizer("background").input_ids) == 3


def test_a_saved_tokenizer_is_the_same_for_other_tools(folder, tokenizer):
    from transformers import CLIPTokenizer

    again = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    vocab = json.loads((folder / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
    assert again(SENTENCES[0]).input_ids == tokenizer(SENTENCES[0]).input_ids
    assert vocab == tokenizer.get_vocab()


def test_saved_weights_are_half_and_the_card_has_their_checksums(folder):
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {t.dtype for t in weights.values()} == {torch.float16}
    card = json.loads((folder / "card.json").read_text())
    assert card["seed"] == 0 and card["sha256"] == files.checksums(folder)


def test_load_gives_one_dtype_everywhere(folder):
    pipe = models.load(folder, "cpu")
    for part in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert {p.dtype for p in part.parameters()} == {torch.float32}


def test_saved_files_have_the_rights_of_new_ones(folder, tmp_path):
    (plain := tmp_path / "plain").touch()
    (tmp_path / "new").mkdir()
    assert {path.stat().st_mode for path in folder.rglob("*") if path.is_file()} == {plain.stat().st_mode}
    assert folder.stat().st_mode == (tmp_path / "new").stat().st_mode


def test_saved_files_do_not_tell_where_the_parts_were(folder, tmp_path):
    from diffusers import AutoencoderKL

    pipe = models.load(folder, "cpu")
    pipe.vae = AutoencoderKL.from_pretrained(folder / "vae")
    models.save(pipe, tmp_path / "again")
    for path in (tmp_path / "again").rglob("*.json"):
        assert str(folder) not in path.read_text(encoding="utf-8")


# ---------------------------------------------------------------- what is refused

WEIGHTS = {
    "unet": "unet/diffusion_pytorch_model.safetensors",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "text_encoder": "text_encoder/model.safetensors",
}


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the folder to break, without its checksums: links, which `put` replaces."""
    link = os.symlink if os.name == "posix" else shutil.copy2
    return shutil.copytree(folder, tmp_path / "copy", copy_function=link, ignore=shutil.ignore_patterns("card.json"))


def put(path, content):
    path.unlink()
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def settings(path, **changes):
    put(path, json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes))


def tensors(path, change):
    """Change the {name: tensor} of a weight file."""
    named = load_file(path)
    change(named)
    path.unlink()
    save_file(named, path, {"format": "pt"})


def rename(named, new):
    """Give every tensor a new name."""
    for name in list(named):
        named[new(name)] = named.pop(name)


def refused(where, words):
    """load() refuses it in one sentence that has these words."""
    with pytest.raises(EduError) as caught:
        models.load(where, "cpu")
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 600


# What is marked with * is loaded without an error by diffusers 0.42.1 and transformers 5.23.0 alone.
FAULTS = {
    "one too few": (lambda named, name: named.pop(name), "it lacks {name}."),  # *
    "one too many": (lambda named, name: named.update(more=torch.zeros(3)), "it also has more."),  # *
    "another shape": (lambda named, name: named.update({name: torch.zeros(7)}), "another shape for {name} (7,)"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    "part, name",
    [("unet", "conv_norm_out.weight"), ("vae", "encoder.conv_in.bias"), ("text_encoder", "encoder.layers.1.layer_norm1.weight")],
)
def test_tensors_must_be_those_of_the_configuration(copy, part, name, fault):
    change, words = FAULTS[fault]
    prefix = "text_model." if part == "text_encoder" else ""  # in files, not in the module
    tensors(copy / WEIGHTS[part], lambda named: change(named, prefix + name))
    refused(copy, words.format(name=name))


@pytest.mark.parametrize("part", WEIGHTS)
@pytest.mark.parametrize(
    "damage",
    [lambda content: content[: len(content) // 2], lambda content: b"<html>404</html>", lambda content: b""],
    ids=["cut off", "a web page", "empty"],
)
def test_damaged_weights_are_refused(copy, part, damage):
    put(copy / WEIGHTS[part], damage((copy / WEIGHTS[part]).read_bytes()))
    refused(copy, "is not a complete .safetensors file")


class Canary:
    """What its pickle does when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    "part, name",
    [
        ("text_encoder", "pytorch_model.bin"),  # * and the next: a .bin is opened, under torch's restrictions
        ("unet", "diffusion_pytorch_model.bin"),
        ("unet", "model.ckpt"),
    ],
)
def test_a_folder_with_pickles_is_refused_and_they_stay_closed(copy, tmp_path, part, name):
    torch.save({"weight": Canary(tmp_path / "opened")}, copy / part / name)
    (copy / WEIGHTS[part]).unlink()
    refused(copy, f"it lacks {WEIGHTS[part]} ({name} is a pickle, which can run arbitrary code")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    "lost",
    [
        "model_index.json",
        "scheduler",
        "unet",
        "vae/config.json",
        "text_encoder/config.json",
        "tokenizer",  # *
        "tokenizer/tokenizer_config.json",  # *
        "tokenizer/tokenizer.json tokenizer/vocab.json tokenizer/merges.txt",  # *
        "tokenizer/tokenizer.json tokenizer/merges.txt",
    ],
)
def test_an_incomplete_folder_is_refused(copy, lost):
    for path in [copy / name for name in lost.split()]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused(copy, "is not a Stable Diffusion folder: it lacks")


@pytest.mark.parametrize(
    "file, changes, words",
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "not a complete Stable Diffusion XL folder"),
        ("model_index.json", {"unet": ["diffusers", "UNet2DModel"]}, "expected a UNet2DConditionModel"),
        ("model_index.json", {"tokenizer": "CLIPTokenizer"}, "its tokenizer is None"),
        ("model_index.json", {"safety_checker": ["evil", "Thing"]}, "code from elsewhere, ['evil', 'Thing']"),
        ("unet/config.json", {"cross_attention_dim": 64}, "to text of width 64, the text encoder outputs 128"),
        ("unet/config.json", {"in_channels": 9}, "takes 9 channels"),
        ("unet/config.json", {"block_out_channels": [7, 7, 7]}, "unet/config.json is not part of"),
        ("text_encoder/config.json", {"num_hidden_layers": 2}, "it also has encoder.layers.2"),  # *
        ("tokenizer/tokenizer_config.json", {"model_max_length": 77}, "truncates prompts at 77 tokens"),  # *
        ("scheduler/scheduler_config.json", {"beta_schedule": "none"}, "is not part of a valid Stable Diffusion"),
    ],
)
def test_a_configuration_of_something_else_is_refused(copy, file, changes, words):
    settings(copy / file, **changes)
    refused(copy, words)


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_configuration_that_cannot_be_read_is_refused(copy, content):
    put(copy / "model_index.json", content.encode("latin-1"))
    refused(copy, "it holds a JSON list, but must hold an object" if content == "[]" else "model_index.json is not part of")


def test_a_unet_for_text_of_another_width_is_refused(copy):  # * weights and configuration agree: it loads
    def narrow(named):
        for name in [name for name in named if ".attn2.to_k." in name or ".attn2.to_v." in name]:
            named[name] = named[name][:, :64].contiguous()

    tensors(copy / WEIGHTS["unet"], narrow)
    settings(copy / "unet" / "config.json", cross_attention_dim=64)
    refused(copy, "attends to text of width 64")


def test_a_foreign_tokenizer_is_refused(copy):  # *
    shutil.rmtree(copy / "tokenizer")
    models.build_tokenizer(SENTENCES, 540).save_pretrained(copy / "tokenizer")
    refused(copy, "the tokenizer knows 540 tokens")


# ---------------------------------------------------------------- what is taken


def latent(pipe):
    return tiny.vanilla(pipe, "a small cat", num_inference_steps=1)


def test_an_older_folder_is_taken(folder, copy):
    """Stable Diffusion 1.5's own folder uses these names, and has no tokenizer.json."""
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def older(name):
        for now, before in old.items():
            name = name.replace(now, before)
        return name

    def prefixed(named):
        rename(named, lambda name: f"text_model.{name.removeprefix('text_model.')}")
        named["text_model.embeddings.position_ids"] = torch.arange(models.TOKENS)[None]

    tensors(copy / WEIGHTS["vae"], lambda named: rename(named, older))
    tensors(copy / WEIGHTS["text_encoder"], prefixed)
    (copy / "tokenizer" / "tokenizer.json").unlink()
    pipe, ours = models.load(copy, "cpu"), models.load(folder, "cpu")
    assert torch.equal(latent(pipe), latent(ours))
    assert all(torch.equal(a, b) for a, b in zip(pipe.vae.parameters(), ours.vae.parameters(), strict=True))


def test_weights_in_several_files_are_taken(folder, tmp_path):
    pipe = models.load(folder, "cpu")
    pipe.save_pretrained(tmp_path / "many", max_shard_size="8MB")
    parts = sorted((tmp_path / "many" / "unet").glob("*.safetensors"))
    assert len(parts) > 1 and torch.equal(latent(models.load(tmp_path / "many", "cpu")), latent(pipe))
    parts[1].unlink()
    refused(tmp_path / "many", f"it lacks unet/{parts[1].name}")


def test_learned_words_of_several_tokens(tmp_path):
    """A textual inversion of three vectors: one word in the prompt is three tokens, after loading too."""
    pipe, vectors = tiny.pipeline(), torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    pipe.load_textual_inversion({"<cup>": vectors})
    c = embed(pipe, "a <cup> dog")
    ids = pipe.tokenizer("a <cup> <cup>_1 <cup>_2 dog", padding="max_length", return_tensors="pt").input_ids
    assert_close(c, pipe.text_encoder(ids)[0])
    assert_close(c, pipe.encode_prompt("a <cup> dog", "cpu", 1, False)[0])
    assert_close(pipe.text_encoder.get_input_embeddings().weight[-3:], vectors)
    models.save(pipe, tmp_path / "learned")
    assert_close(embed(models.load(tmp_path / "learned", "cpu"), "a <cup> dog"), c, atol=1e-2, rtol=0)


# ---------------------------------------------------------------- names and the hub


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty Hugging Face cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_hub_id_in_the_local_cache_is_taken(folder, cache):
    repository = cache / "models--someone--tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("1234567890" * 4)
    shutil.copytree(folder, repository / "snapshots" / ("1234567890" * 4))
    assert torch.equal(latent(models.load("someone/tiny", "cpu")), latent(models.load(folder, "cpu")))
    (repository / "snapshots" / ("1234567890" * 4) / WEIGHTS["vae"]).unlink()
    refused("someone/tiny", f"it lacks {WEIGHTS['vae']}")


def test_a_hub_id_is_looked_for_here_only_unless_asked(cache, monkeypatch):
    from diffusers import StableDiffusionPipeline
    from huggingface_hub import is_offline_mode

    seen = []

    def download(name, local_files_only, use_safetensors):
        seen.append((name, local_files_only, use_safetensors, is_offline_mode()))
        raise OSError("no such thing\nsecond line")

    monkeypatch.setattr(StableDiffusionPipeline, "download", download)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    refused("someone/tiny", "no such hub id in the local cache; load('someone/tiny', online=True) downloads")
    with pytest.raises(EduError, match=r"could not be downloaded from the hub \(no such thing\); check"):
        models.load("someone/tiny", online=True)
    assert seen == [("someone/tiny", True, True, True), ("someone/tiny", False, True, False)]
    assert is_offline_mode()


def test_no_network_is_a_sentence(cache):
    with pytest.raises(EduError, match="'someone/tiny' could not be downloaded from the hub"):
        models.load("someone/tiny", online=True)


def test_a_file_is_no_folder(folder):
    with pytest.raises(EduError, match="is a file; expected a folder"):
        models.path_of(folder / "card.json")
    with pytest.raises(EduError, match="config= is for a single file"):
        models.load(folder, config="base")


def test_an_unknown_name_is_a_sentence():
    with pytest.raises(EduError, match="no model 'nonsense'"):
        models.load("nonsense")


def test_a_device_that_is_not_there_is_a_sentence():
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(EduError, match="no device 'cuda'"):
        models.pick_device("cuda")


def test_quiet_puts_things_back():
    from transformers.utils import logging

    before = logging.get_verbosity()
    with pytest.raises(ZeroDivisionError), models.quiet():
        with models.quiet():
            pass
        assert not logging.is_progress_bar_enabled() and logging.get_verbosity() == logging.ERROR
        1 / 0
    assert logging.get_verbosity() == before
