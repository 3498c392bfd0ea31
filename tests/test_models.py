"""The tiny configurations, the tokenizer, saving and loading."""

import json
import shutil

import pytest
import torch

from edu_diffusion import models
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

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
    models.save(models.assemble(models.build_vae(), text, tokenizer, models.build_unet()), target, {"seed": 0})
    return target


def test_sizes_are_as_the_design_says():
    count = {name: sum(p.numel() for p in getattr(models, f"build_{name}")().parameters()) for name in ("vae", "unet")}
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
    assert again(SENTENCES[0]).input_ids == tokenizer(SENTENCES[0]).input_ids and vocab == tokenizer.get_vocab()


def test_saved_weights_are_half_and_the_card_has_their_checksums(folder):
    from safetensors.torch import load_file
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert {t.dtype for t in weights.values()} == {torch.float16}
    card = json.loads((folder / "card.json").read_text())
    assert card["seed"] == 0 and card["sha256"] == files.checksums(folder)


def test_load_gives_one_dtype_everywhere(folder):
    pipe = models.load(folder, "cpu")
    for part in (pipe.vae, pipe.unet, pipe.text_encoder):
        assert {p.dtype for p in part.parameters()} == {torch.float32}


@pytest.mark.parametrize("lost", ["tokenizer", "unet", "tokenizer/tokenizer.json"])
def test_an_incomplete_folder_is_refused(folder, tmp_path, lost):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    shutil.rmtree(broken / lost) if (broken / lost).is_dir() else (broken / lost).unlink()
    (broken / "tokenizer" / "vocab.json").unlink(missing_ok=True)
    with pytest.raises(EduError, match="lacks"):
        models.load(broken)


def test_a_foreign_tokenizer_is_refused(folder, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    models.build_tokenizer(SENTENCES, 540).save_pretrained(broken / "tokenizer")
    with pytest.raises(EduError, match="tokens"):
        models.load(broken)


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
        1 / 0
    assert logging.get_verbosity() == before


def test_a_failed_save_leaves_the_old_folder(tmp_path):
    target = tmp_path / "kept"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError), files.staged(target) as stage:
        (stage / "new").write_text("new")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["kept"] and (target / "old").exists()
    with files.staged(target) as stage:
        (stage / "new").write_text("new")
    assert [p.name for p in target.iterdir()] == ["new"] and [p.name for p in tmp_path.iterdir()] == ["kept"]
