"""The recipe `control`: two steps give a vanilla ControlNetModel, and the base stays unchanged."""

import json

import pytest
import tiny
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

from edu_diffusion import models, steps, train
from edu_diffusion.cli import main
from edu_diffusion.cli import train as training
from edu_diffusion.data import conditions, files, scenes, words
from edu_diffusion.errors import EduError
from edu_diffusion.steps import Control
from edu_diffusion.train import frozen
from edu_diffusion.train.control import due, examples, reduced

# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The prompt .* tokens:UserWarning"),
]  # the tiny tokenizer spells


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder, pipe = tmp_path_factory.mktemp("models") / "tiny", tiny.pipeline()
    pipe.unet.register_to_config(sample_size=16)  # 64 x 64 pictures, as the conditions are
    models.save(pipe, folder)
    return folder


def control(base, **settings):
    return train.RECIPES["control"](**{"model": base, "minutes": None, "steps": 2, "batch": 2, "device": "cpu", **settings})


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
    """A run folder after two steps, and what the steps reported."""
    folder = tmp_path_factory.mktemp("runs") / "control"
    return folder, list(control(base, run=folder))


def last(pipe, **settings):
    return list(steps.generate(pipe, "a cat", steps=2, **settings))[-1].z_s


def test_the_result_is_a_vanilla_controlnet(base, run):
    folder, progress = run
    assert [p.step for p in progress] == [1, 2] and progress[-1].left == 0
    with models.quiet():
        net = ControlNetModel.from_pretrained(folder / "model")
    assert isinstance(progress[-1].model, ControlNetModel) and not progress[-1].model.training
    pipe, shown = models.load(base, "cpu"), conditions.batch("canny", 1, 3).conditions
    library = StableDiffusionControlNetPipeline(**pipe.components, controlnet=net)
    library.set_progress_bar_config(disable=True)
    want = library(
        "a cat",
        shown,
        num_inference_steps=2,
        guidance_scale=steps.GUIDANCE,
        output_type="latent",
        generator=torch.Generator().manual_seed(0),
    ).images
    ours = last(pipe, control=Control(models.load_control(folder / "model", "cpu"), shown))
    torch.testing.assert_close(ours, want, rtol=1e-4, atol=1e-4)
    assert (ours - last(pipe)).abs().max() > 1e-6


def test_the_card_says_how_it_was_made(run):
    card = json.loads((run[0] / "model" / "card.json").read_text())
    assert card["kind"] == "canny" and card["steps"] == 2 and card["trained"] > 1000
    assert card["sha256"] == files.checksums(run[0] / "model") and card == models.control_card(run[0] / "model")
    assert [row[0] for row in card["curve"]] == [1] and 0 <= card["curve"][0][3] <= 1
    assert "_name_or_path" not in json.loads((run[0] / "model" / "config.json").read_text())


def test_zero_convolutions_move_first(base, run):
    """In the first step only they have a gradient: behind zeros, nothing else has."""
    unet, one = models.load(base, "cpu").unet, next(control(base, steps=1)).model
    torch.manual_seed(0)
    fresh = models.build_controlnet(unet)
    gaps = {name: (p - fresh.get_parameter(name)).abs().max() for name, p in one.named_parameters()}
    moved = {name for name, gap in gaps.items() if gap > 1e-6}  # what decays a little does not count
    assert moved == {name for name in gaps if name.startswith(("controlnet_down", "controlnet_mid"))}


def test_the_base_stays_and_that_is_asserted(base, monkeypatch):
    seen = []
    original = frozen.Frozen.unchanged
    monkeypatch.setattr(frozen.Frozen, "unchanged", lambda self: seen.append(self) or original(self))
    list(control(base, steps=1))
    assert len(seen) == 1
    with torch.no_grad():
        seen[0].pipe.unet.conv_in.bias[0] += 1
    with pytest.raises(AssertionError, match="changed the frozen weights"):
        seen[0].unchanged()


@pytest.mark.parametrize("kind", ["segmentation", "depth", "pose"])
def test_every_kind_takes_a_step(base, kind):
    assert next(control(base, kind=kind, steps=1)).loss > 0


def test_going_on_from_another_one(base, run):
    start = models.load_control(run[0] / "model", "cpu")
    on = next(control(base, start=run[0] / "model", steps=1, lr=1e-9)).model
    gaps = [(a - b).abs().max() for a, b in zip(on.parameters(), start.parameters(), strict=True)]
    assert max(gaps) < 1e-6
    assert next(control(base, start=run[0] / "model", steps=1)).model.conv_in.weight.requires_grad


def test_a_run_of_another_kind_is_not_continued(base, run):
    with pytest.raises(EduError, match="was started with kind='canny', and cannot go on with kind='pose'"):
        next(control(base, kind="pose", run=run[0]))
    with pytest.raises(EduError, match="no condition 'lines'"):
        next(control(base, kind="lines"))


def test_most_captions_are_reduced():
    some = scenes.batch(400, 5)
    left = reduced(some.captions, some.spec, torch.Generator().manual_seed(0))
    grounds = [words.caption("thing", scenes.COLOURS[c]) for c in some.spec.colour]
    assert grounds[0].startswith("a thing on a") and grounds[0].endswith(" background")
    kinds = [sum(text == want for text, want in zip(left, wanted)) for wanted in ([""] * 400, grounds, some.captions)]
    for found, share in zip(kinds, (0.3, 0.45, 0.25)):
        assert found / 400 == pytest.approx(share, abs=0.07)
    assert 400 <= sum(kinds) < 410, "and there are no others; a caption may have said no more"


def test_how_many_things_there_are_is_still_said():
    some = scenes.batch(60, 5, counts=(3,))
    left = reduced(some.captions, some.spec, torch.Generator().manual_seed(0))
    assert any(text.startswith("three things on ") for text in left) and not any(text.startswith("a thing on ") for text in left)


def test_pictures_without_a_spec_lose_their_captions():
    left = reduced(["a stick figure"] * 400, None, torch.Generator().manual_seed(0))
    assert set(left) == {"", "a stick figure"} and 270 < left.count("") < 330


@pytest.mark.parametrize("kind", ["canny", "pose"])
def test_the_network_reads_reduced_captions(base, monkeypatch, kind):
    read, text = [], frozen.Frozen.text
    monkeypatch.setattr(frozen.Frozen, "text", lambda self, captions: (read.extend(captions), text(self, captions))[1])
    list(control(base, steps=1, batch=100, kind=kind))
    assert len(read) == 100 and read.count("") > 15
    assert sum(caption.startswith("a thing on a") for caption in read) > 25 if kind == "canny" else read.count("") > 60


def test_examples_are_the_scenes_with_their_conditions():
    some, same = examples("segmentation", 5, 9, torch.Generator()), scenes.batch(5, 9)
    assert torch.equal(some.images, same.images)
    assert torch.equal(some.conditions, conditions.of_scenes("segmentation", same))


def test_a_resumed_run_keeps_its_curve(base, tmp_path):
    list(control(base, run=tmp_path, steps=1))
    json_ = tmp_path / "kind.json"
    kept = json.loads(json_.read_text())
    json_.write_text(json.dumps({**kept, "curve": kept["curve"] + [[25, 9.0, 9.0, 9.0]]}))  # killed after step 25
    list(control(base, run=tmp_path, steps=25))
    curve = json.loads((tmp_path / "model" / "card.json").read_text())["curve"]
    assert [row[0] for row in curve] == [1, 25] and curve[0] == kept["curve"][0] and curve[1][1:] != [9.0] * 3


def test_the_curve_is_dense_at_first():
    steps_ = [step for step in range(1, 2001) if due(step)]
    assert steps_[:3] == [1, 25, 50] and steps_[-1] == 2000 and 10 < len(steps_) < 40
    gaps = [b - a for a, b in zip(steps_[1:], steps_[2:])]
    assert gaps == sorted(gaps)


def test_the_curve_is_the_callers(base):
    curve = []
    *_, end = control(base, steps=1, curve=curve)
    assert [row[:1] + row[2:3] for row in curve] == [[1, round(end.loss, 4)]]


# ---------------------------------------------------------------- folders that are no ControlNet


def test_what_load_control_refuses(base, run, tmp_path):
    with pytest.raises(EduError, match="no ControlNet 'nothing': give a folder"):
        models.load_control("nothing")
    with pytest.raises(EduError, match="has no card.json"):
        models.save_control(models.load_control(run[0] / "model", "cpu"), tmp_path / "bare")
        (tmp_path / "bare" / "card.json").unlink()
        models.control_card(tmp_path / "bare")
    with pytest.raises(EduError, match="holds a whole pipeline"):
        models.load_control(base)
    with pytest.raises(EduError, match="holds a UNet2DConditionModel; expected a ControlNetModel"):
        models.load_control(base / "unet")
    net = models.load_control(run[0] / "model", "cpu")
    models.save_control(net, tmp_path / "net")
    (tmp_path / "net" / "diffusion_pytorch_model.safetensors").rename(tmp_path / "net" / "other.bin")
    with pytest.raises(EduError, match="lacks diffusion_pytorch_model.safetensors; other.bin is a pickle"):
        models.load_control(tmp_path / "net")


def test_a_controlnet_with_the_wrong_tensors_is_refused(run, tmp_path):
    models.save_control(models.load_control(run[0] / "model", "cpu"), tmp_path / "net")
    config = json.loads((tmp_path / "net" / "config.json").read_text())
    config["conditioning_embedding_out_channels"] = [16, 32]
    files.write_json(tmp_path / "net" / "config.json", config)
    (tmp_path / "net" / "card.json").unlink()  # changed on purpose
    with pytest.raises(EduError, match="does not match its configuration"):
        models.load_control(tmp_path / "net")


def test_saved_and_loaded_it_is_the_same_in_half_precision(run, tmp_path):
    net = run[1][-1].model
    models.save_control(net, tmp_path / "net")
    again = models.load_control(tmp_path / "net", "cpu")
    assert not again.training and again.dtype == torch.float32 and net.dtype == torch.float32
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)


# ---------------------------------------------------------------- the command line


def arguments(*words):
    return main.parser().parse_args(["train", *words])


def test_the_kind_is_an_option_of_this_recipe_alone():
    recipe = train.RECIPES["control"]
    assert training.kinds(arguments("control", "--kind", "pose"), recipe) == {"kind": "pose"}
    assert training.kinds(arguments("control"), recipe) == {}
    with pytest.raises(EduError, match="vae has only one kind"):
        training.kinds(arguments("vae", "--kind", "pose"), train.RECIPES["vae"])


def test_every_kind_lives_in_a_folder_of_its_own(base, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(training.environment, "home", lambda: tmp_path)
    taken = []

    def recipe(run, kind="canny"):
        taken.append((run, kind))
        yield from ()

    monkeypatch.setattr(training, "find", lambda name: recipe)
    training.run(arguments("control", "--kind", "pose"))
    training.run(arguments("control"))
    assert taken == [(tmp_path / "runs" / "control-pose", "pose"), (tmp_path / "runs" / "control", "canny")]
