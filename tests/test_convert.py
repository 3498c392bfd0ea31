"""Convert: between a diffusers folder and one file, both ways, in full and in half precision, and from a harmless pickle."""

import os
import pickle

import pytest
import tiny
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from edu_diffusion import models
from edu_diffusion.cli import main
from edu_diffusion.data import checksums, files, layout
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment
from edu_diffusion.models import weights

DTYPES = {"half": torch.float16, "full": torch.float32}


def picture(pipe):
    """What vanilla diffusers draws in two steps."""
    pipe.set_progress_bar_config(disable=True)
    return tiny.vanilla(pipe, "a cat", num_inference_steps=2, output_type="pt")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A model of random weights as a folder and as a file, each in half and in full precision: {(form, precision): path}."""
    root, pipe = tmp_path_factory.mktemp("sources"), tiny.pipeline()
    for name, dtype in DTYPES.items():
        models.save(pipe, root / name, dtype=dtype)
        models.to_single_file(pipe, root / f"{name}.safetensors", dtype)
    return {("folder", n): root / n for n in DTYPES} | {("file", n): root / f"{n}.safetensors" for n in DTYPES}


@pytest.fixture(scope="module")
def expected(sources):
    """What the library draws with each precision's folder, computing in either: {(stored, computed): image}."""
    return {
        (stored, computed): picture(StableDiffusionPipeline.from_pretrained(sources["folder", stored], dtype=DTYPES[computed]))
        for stored in DTYPES
        for computed in DTYPES
    }


def same(path, other):
    """Whether two files hold the same tensors under the same names."""
    one, two = load_file(path), load_file(other)
    return one.keys() == two.keys() and all(one[n].dtype == two[n].dtype and torch.equal(one[n], two[n]) for n in one)


def stored(path):
    """The dtypes of a model's weights."""
    found = [path] if path.is_file() else sorted(path.rglob("*.safetensors"))
    assert len(found) in (1, 3)
    return {entry.dtype for file in found for entry in layout.read(file).tensors.values()}


@pytest.mark.parametrize("precision", DTYPES)
@pytest.mark.parametrize("form, target", [("folder", "m.safetensors"), ("file", "m"), ("folder", "m"), ("file", "m.safetensors")])
def test_every_way_keeps_the_precision_and_the_picture(sources, expected, tmp_path, form, target, precision):
    path = models.convert(sources[form, precision], tmp_path / target)
    assert path == tmp_path / target and stored(path) == {{"half": "F16", "full": "F32"}[precision]}
    for computed, dtype in DTYPES.items():
        assert torch.equal(picture(models.load(path, "cpu", dtype)), expected[precision, computed])
    if path.is_dir():
        vanilla = StableDiffusionPipeline.from_pretrained(path, dtype=DTYPES[precision])
        assert torch.equal(picture(vanilla), expected[precision, precision])
    else:
        folder = str(sources["folder", precision])
        vanilla = StableDiffusionPipeline.from_single_file(str(path), config=folder, dtype=DTYPES[precision])
        assert torch.equal(picture(vanilla), expected[precision, precision])


@pytest.mark.parametrize("precision", DTYPES)
def test_a_file_to_a_folder_and_back_is_the_same_file(sources, tmp_path, precision):
    folder = models.convert(sources["file", precision], tmp_path / "m")
    again = models.convert(folder, tmp_path / "again.safetensors")
    assert same(again, sources["file", precision])


@pytest.mark.parametrize("form", ["folder", "file"])
def test_full_to_half_is_rounded_once_and_half_to_full_is_exact(sources, expected, tmp_path, form):
    half = models.convert(sources[form, "full"], tmp_path / "half.safetensors", torch.float16)
    assert same(half, sources["file", "half"])
    full = models.convert(sources[form, "half"], tmp_path / "full", torch.float32)
    assert stored(full) == {"F32"}
    assert torch.equal(picture(models.load(full, "cpu", torch.float16)), expected["half", "half"])
    assert torch.equal(picture(models.load(full, "cpu")), expected["half", "full"])
    assert not torch.equal(expected["half", "full"], expected["full", "full"]), "half precision is another model, if only slightly"


def test_the_base_as_a_file_and_as_a_folder_again(tmp_path):
    single = models.convert("base", tmp_path / "base.safetensors")
    folder = models.convert(single, tmp_path / "base")
    shipped = files.PACKAGE / "checkpoints" / "base"
    for part in ("unet", "vae", "text_encoder"):
        one, other = (weights.modern(load_file(root / part / f"{weights.STEMS[part]}.safetensors")) for root in (shipped, folder))
        assert one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)
    card = files.card_of(folder)
    assert card["converted_from"] == "base.safetensors" and card["precision"] == "float16" and card["sha256"]


def test_the_precision_of_a_model_is_that_of_its_weights(sources, tmp_path):
    assert all(models.precision(path) == DTYPES[name] for (_, name), path in sources.items())
    mixed = load_file(sources["file", "half"])
    first = min(mixed)
    for dtype, expected in [(torch.bfloat16, torch.float32), (torch.float32, torch.float32), (torch.int64, torch.float16)]:
        save_file(mixed | {first: mixed[first].to(dtype)}, tmp_path / "m.safetensors")
        assert models.precision(tmp_path / "m.safetensors") == expected


# ---------------------------------------------------------------- from a pickle


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("new", [True, False])
def test_a_harmless_pickle_becomes_a_file_with_the_same_tensors(sources, tmp_path, nested, new):
    tensors = load_file(sources["file", "half"])
    torch.save({"state_dict": tensors, "epoch": 3} if nested else tensors, tmp_path / "m.ckpt", _use_new_zipfile_serialization=new)
    path = models.convert(tmp_path / "m.ckpt", tmp_path / "m.safetensors", config=sources["folder", "half"])
    assert same(path, sources["file", "half"])


@pytest.mark.fault("ugly")
def test_a_pickle_without_a_configuration_or_without_tensors_is_one_sentence(sources, tmp_path):
    torch.save(load_file(sources["file", "half"]), tmp_path / "m.ckpt")
    with pytest.raises(EduError, match=r"m\.ckpt does not contain its configuration: pass config="):
        models.convert(tmp_path / "m.ckpt", tmp_path / "m.safetensors")
    for value in ([1], {"state_dict": 3}, {"a": 1}):
        torch.save(value, tmp_path / "n.ckpt")
        with pytest.raises(EduError, match=r"n\.ckpt holds no tensors by name"):
            models.convert(tmp_path / "n.ckpt", tmp_path / "n.safetensors", config=sources["folder", "half"])
    assert not list(tmp_path.glob("*.safetensors"))


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.fault("silent")
def test_a_pickle_with_code_in_it_stays_closed(sources, tmp_path):
    torch.save({**load_file(sources["file", "half"]), "x": Canary(tmp_path / "canary")}, tmp_path / "m.ckpt")
    with pytest.raises(EduError, match="would import _?io.open, which weights do not need"):
        models.convert(tmp_path / "m.ckpt", tmp_path / "m.safetensors", config=sources["folder", "half"])
    assert sorted(os.listdir(tmp_path)) == ["m.ckpt"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.fault("lost")
def test_nothing_that_exists_is_replaced(sources, tmp_path):
    (tmp_path / "mine.safetensors").write_text("mine")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for target in (tmp_path / "mine.safetensors", tmp_path / "mine", sources["folder", "half"], sources["file", "half"]):
        before = files.checksums(target) if target.is_dir() else files.sha256(target)
        with pytest.raises(EduError, match="exists already and is not replaced"):
            models.convert(sources["folder", "half"], target)
        assert before == (files.checksums(target) if target.is_dir() else files.sha256(target))
    (tmp_path / "empty").mkdir()
    assert models.convert(sources["file", "half"], tmp_path / "empty") == tmp_path / "empty"


@pytest.mark.fault("ugly")
@pytest.mark.parametrize("target", ["m.ckpt", "m.bin", "m.pt"])
def test_no_pickle_is_written(sources, tmp_path, target):
    with pytest.raises(EduError, match="would be a pickle"):
        models.convert(sources["folder", "half"], tmp_path / target)
    assert not list(tmp_path.iterdir())


@pytest.mark.fault("silent")
def test_numbers_beyond_half_precision_are_refused(tmp_path):
    pipe = tiny.pipeline()
    with torch.no_grad():
        pipe.unet.conv_in.bias[0] = 1e6
    models.save(pipe, tmp_path / "m", dtype=torch.float32)
    for target in ("n", "n.safetensors"):
        with pytest.raises(EduError, match="numbers that are not finite"):
            models.convert(tmp_path / "m", tmp_path / target, torch.float16)
        assert not (tmp_path / target).exists()
        models.convert(tmp_path / "m", tmp_path / f"full-{target}")


# ---------------------------------------------------------------- the verbs


@pytest.fixture
def command(monkeypatch, capsys):
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def run(*arguments):
        code = main.main([str(a) for a in arguments])
        return code, "".join(capsys.readouterr())

    return run


def test_the_verb_convert(command, sources, tmp_path):
    code, said = command("convert", sources["folder", "full"], tmp_path / "a.safetensors")
    short = checksums.model_hash(tmp_path / "a.safetensors").short
    size = (tmp_path / "a.safetensors").stat().st_size / 1e6
    assert (code, said) == (0, f"{tmp_path / 'a.safetensors'} ({size:.1f} MB, full precision, model hash {short})\n")
    code, said = command("convert", "--half", tmp_path / "a.safetensors", tmp_path / "b")
    assert code == 0 and said.startswith(f"{tmp_path / 'b'} (") and said.endswith(" MB, half precision)\n")
    assert stored(tmp_path / "b") == {"F16"}
    assert command("convert", tmp_path / "b", tmp_path / "c", "--full")[0] == 0 and stored(tmp_path / "c") == {"F32"}
    torch.save(load_file(tmp_path / "a.safetensors"), tmp_path / "d.ckpt")
    code, _ = command("convert", tmp_path / "d.ckpt", tmp_path / "d.safetensors", "--config", sources["folder", "half"])
    assert code == 0 and stored(tmp_path / "d.safetensors") == {"F32"}


@pytest.mark.fault("ugly")
def test_a_mistake_is_one_sentence(command, sources, tmp_path):
    (tmp_path / "e.ckpt").write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    for arguments, words in [
        (("nothing", tmp_path / "a"), "There is no model 'nothing'"),
        ((sources["file", "half"], sources["folder", "half"]), "exists already"),
        ((tmp_path / "e.ckpt", tmp_path / "a"), "do not open it"),
        ((sources["file", "half"], tmp_path / "no" / "a.safetensors"), "cannot be written"),
    ]:
        code, said = command("convert", *arguments)
        assert code == 2 and words in said and said.count("\n") == 1 and "Traceback" not in said
    with pytest.raises(SystemExit):
        main.main(["convert", "base", "x", "--half", "--full"])
    assert sorted(os.listdir(tmp_path)) == ["e.ckpt"]


def test_export_writes_what_convert_writes(sources, tmp_path, command):
    code, said = command("export", sources["folder", "full"], tmp_path / "a.safetensors")
    assert code == 0 and "half precision, model hash" in said
    models.convert(sources["folder", "full"], tmp_path / "b.safetensors", torch.float16)
    assert same(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
