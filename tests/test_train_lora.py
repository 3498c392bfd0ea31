"""LoRA and hypernetwork: the recipes run, the base stays frozen, the files load elsewhere, and mismatches are refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import pipeline, vanilla
from torch.testing import assert_close

from edu_diffusion import models, steps, train
from edu_diffusion.data import newstyle, scenes
from edu_diffusion.errors import EduError
from edu_diffusion.models.locate import LORA
from edu_diffusion.train.frozen import Frozen, adapt
from edu_diffusion.train.lora import layers, with_lora

PROMPT = "a red cat"
BRIEF = {"steps": 1, "minutes": None, "device": "cpu", "rank": 2, "batch": 2}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a tiny pipeline of random weights, made for the pictures of the world."""
    pipe, folder = pipeline(), tmp_path_factory.mktemp("tiny") / "base"
    pipe.unet.register_to_config(sample_size=16)
    pipe.tokenizer.model_max_length = 16
    models.save(pipe, folder)
    return folder


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
    """A finished run of the recipe, and its last Progress."""
    folder = tmp_path_factory.mktemp("run")
    *_, last = train.RECIPES["lora"](steps=2, minutes=None, run=folder, model=base, device="cpu", rank=2, alpha=3, batch=2, lr=0.05)
    return folder / "model", last


def test_noisy_says_how_often_the_noisy_levels_are_drawn(base, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "edu_diffusion.train.lora.sample_timesteps", lambda n, rng, k: asked.append(k) or torch.rand(n, generator=rng)
    )
    next(train.RECIPES["lora"](**BRIEF, model=base))
    next(train.RECIPES["lora"](**BRIEF, model=base, noisy=1))
    assert asked == [3, 1]


def draw(pipe):
    return vanilla(pipe, PROMPT, num_inference_steps=2)


def grown(folder, factor=30):
    """The adapter of a folder, made stronger, so that a difference is seen after two steps."""
    state = load_file(folder / LORA)
    return {name: w * factor for name, w in state.items()}


def test_vanilla_draws_what_the_recipe_draws(base, run):
    folder, last = run
    theirs = models.load(base, "cpu")
    before = draw(theirs)
    theirs.load_lora_weights(folder)
    assert_close(draw(theirs), draw(last.model), rtol=2e-3, atol=2e-3)  # the file has half precision
    assert not torch.equal(draw(theirs), before)
    assert next(iter(theirs.unet.peft_config.values())).lora_alpha == 3


def test_weight_0_is_the_base_bit_for_bit(base, run, tmp_path):
    pipe = models.load(base, "cpu")
    before = draw(pipe)
    save_file(grown(run[0]), tmp_path / LORA)
    models.load_lora(pipe, tmp_path, "mine", weight=0)
    assert torch.equal(draw(pipe), before)
    pipe.set_adapters("mine", 1.0)
    assert not torch.allclose(draw(pipe), before, atol=1e-3)
    pipe.unload_lora_weights()
    assert torch.equal(draw(pipe), before)


def test_two_at_once_keep_their_weights(base, run):
    pipe = models.load(base, "cpu")
    models.load_lora(pipe, run[0], "one", weight=0.5)
    models.load_lora(pipe, run[0] / LORA, "two", weight=1.5)
    assert pipe.get_active_adapters() == ["one", "two"]
    assert models.lora.present(pipe) == {"one": 0.5, "two": 1.5}
    both = draw(pipe)
    pipe.delete_adapters("two")
    pipe.set_adapters("one", 2.0)  # the same adapter twice: the weights add up
    assert_close(draw(pipe), both, rtol=1e-3, atol=1e-3)
    with pytest.raises(EduError, match="This pipeline already has an adapter 'one'"):
        models.load_lora(pipe, run[0], "one")


def test_a_friends_file_in_kohyas_format(base, run, tmp_path):
    ours, theirs = {}, load_file(run[0] / LORA)
    for name, w in theirs.items():
        layer, which = name.removeprefix("unet.").removesuffix(".weight").rsplit(".lora_", 1)
        if ".attentions." in layer:
            key = "lora_unet_" + layer.replace(".", "_")
            ours[f"{key}.lora_{'down' if which == 'A' else 'up'}.weight"] = w
            ours[f"{key}.alpha"] = torch.tensor(3.0)
    save_file(ours, tmp_path / "friend.safetensors")
    save_file({n: w for n, w in theirs.items() if ".attentions." in n}, tmp_path / LORA)
    one, other = (models.load(base, "cpu") for _ in range(2))
    models.load_lora(one, tmp_path / "friend.safetensors")
    other.load_lora_weights(tmp_path, weight_name=LORA)
    other.set_adapters(other.get_active_adapters(), 1.5)  # without metadata the library takes alpha = rank: 3 / 2
    assert_close(draw(one), draw(other), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda s: {n.replace("down_blocks.1", "down_blocks.7"): w for n, w in s.items()},
            "it changes unet.down_blocks.7.*, which this pipeline does not have",
        ),
        (
            lambda s: {n: w.repeat(*[2 if "lora_A" in n and i == 1 else 1 for i in range(w.ndim)]) for n, w in s.items()},
            "and the weight is .* it was made for another model",
        ),
        (lambda s: dict(list(s.items())[:1]), "it has .* and nothing, and the weight"),
        (lambda s: {"conv_in.weight": torch.zeros(2, 2)}, "is not a LoRA"),
        (lambda s: {**s, "unet.conv_in.weight": torch.zeros(2, 2)}, "is not a LoRA .*conv_in"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_pipeline_stays(base, run, tmp_path, change, message):
    save_file({n: w.contiguous() for n, w in change(load_file(run[0] / LORA)).items()}, tmp_path / LORA)
    pipe = models.load(base, "cpu")
    before = draw(pipe)
    with pytest.raises(EduError, match=message):
        models.load_lora(pipe, tmp_path)
    assert torch.equal(draw(pipe), before) and not pipe.get_list_adapters()


@pytest.mark.parametrize(
    "name, message", [("nothing.safetensors", "is not an adapter"), ("lora.pt", "a pickle"), ("half.safetensors", "not a complete")]
)
def test_files_that_are_none(base, tmp_path, name, message):
    if not name.startswith("nothing"):
        (tmp_path / name).write_bytes(b"not a tensor in sight")
    with pytest.raises(EduError, match=message):
        models.load_lora(models.load(base, "cpu"), tmp_path / name)


def test_the_card_and_the_file(run):
    folder, last = run
    card = json.loads((folder / "card.json").read_text())
    state = load_file(folder / LORA)
    assert card["trained"] == sum(w.numel() for w in state.values()) and card["steps"] == last.step == 2
    assert {name: card[name] for name in ("rank", "alpha", "lr", "noisy")} == {"rank": 2, "alpha": 3, "lr": 0.05, "noisy": 3}
    assert {w.dtype for w in state.values()} == {torch.float16}
    names = layers(models.load("base", "cpu").unet, "attention")
    assert names and all(".attentions." in name for name in names)


def test_a_recipe_that_touches_the_base_is_caught(base):
    frozen = Frozen(base, "cpu")
    unet = with_lora(frozen.pipe.unet, 2, 2)
    frozen.unchanged()

    def loss(step):
        with torch.no_grad():
            frozen.pipe.vae.decoder.conv_in.bias.add_(1e-3)
        return sum(p.square().sum() for p in unet.parameters() if p.requires_grad)

    with pytest.raises(AssertionError, match="changed the frozen weights"):
        list(adapt(frozen, unet, loss, steps=1))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"rank": 0}, "rank is 0.* must be at least 1"),
        ({"noisy": 0.5}, "noisy 0.5.* must be at least 1"),
        ({"style": "cubist"}, "style one of"),
        ({"where": "vae"}, "where one of"),
    ],
)
def test_wrong_settings(settings, message):
    with pytest.raises(EduError, match=message):
        next(train.RECIPES["lora"](steps=1, **settings))


def test_a_base_that_predicts_something_else(tmp_path):
    models.save(pipeline(prediction_type="epsilon"), tmp_path / "base")
    with pytest.raises(EduError, match="predicts 'epsilon'"):
        Frozen(tmp_path / "base", "cpu")


# ---------------------------------------------------------------- hypernetwork


def test_hyper_trains_its_networks_alone_and_comes_back_from_its_file(base, tmp_path):
    *_, last = train.RECIPES["hyper"](steps=2, minutes=None, run=tmp_path, model=base, device="cpu", batch=2, lr=0.05)
    pipe = models.load(base, "cpu")
    loaded = models.load_hyper(tmp_path / "model", pipe)
    assert list(loaded) == [pipe.unet.config.cross_attention_dim]
    before = draw(pipe)
    with steps.with_hypernetwork(pipe.unet, last.model):
        trained = draw(pipe)
    with steps.with_hypernetwork(pipe.unet, loaded):
        assert_close(draw(pipe), trained, rtol=2e-3, atol=2e-3)
    assert not torch.equal(trained, before) and torch.equal(draw(pipe), before)
    names = set(load_file(tmp_path / "model" / models.locate.HYPERNETWORK))
    assert {"32.k.linear.0.weight", "32.v.linear.2.bias"} <= names and len(names) == 8


def test_a_new_hypernetwork_changes_nothing(base):
    pipe = models.load(base, "cpu")
    before = draw(pipe)
    with steps.with_hypernetwork(pipe.unet, models.build_hyper([32])):
        assert_close(draw(pipe), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("width, activation, layers", [(32, "tanh", (1, 3, 1)), (32, "linear", (1, 1)), (32, "relu", (1, 2, 2, 1))])
def test_files_of_hypernetworks(base, tmp_path, width, activation, layers):
    made = models.build_hyper([width, 64], layers, activation)
    for p in made[64][1].parameters():
        torch.nn.init.constant_(p, 0.5)
    models.save_hyper(made, tmp_path / "h.safetensors", layers=layers, activation=activation)
    back = models.load_hyper(tmp_path / "h.safetensors", models.load(base, "cpu"))
    x = torch.randn(3, 64)
    assert_close(back[64][1](x), made[64][1](x), rtol=1e-3, atol=1e-3)
    assert not back[32][0](torch.randn(3, 32)).any()


def test_hypernetworks_that_are_refused(base, tmp_path):
    pipe = models.load(base, "cpu")
    models.save_hyper(models.build_hyper([8]), tmp_path / "narrow.safetensors")
    save_file({"8.k.linear.0.weight": torch.zeros(2, 2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(EduError, match="text embeddings of width 8, and this pipeline's have width 32"):
        models.load_hyper(tmp_path / "narrow.safetensors", pipe)
    for name, message in [("foreign.safetensors", "no settings"), ("h.pt", "a pickle"), ("h", "not a hypern")]:
        with pytest.raises(EduError, match=message):
            models.load_hyper(tmp_path / name)
    with pytest.raises(EduError, match="begin and end with 1"):
        models.build_hyper([8], (1, 2))


# ---------------------------------------------------------------- the task


def test_the_new_style_keeps_some_concepts_back():
    seen, same = newstyle.batch(200, 3), newstyle.batch(200, 3)
    assert len(seen.captions) == 200 and torch.equal(seen.images, same.images)
    assert not set(seen.spec.concept.tolist()) & set(newstyle.unseen().tolist())
    assert newstyle.BLACK not in seen.spec.colour
    assert sum("contrast" in caption.lower() for caption in seen.captions) > 190  # but for a typo


def test_the_prompts_of_the_new_style():
    rows, usual = newstyle.rows(), newstyle.rows("")
    assert len(rows) == len(usual) > 100 and {r["colour"] for r in rows} == set(scenes.COLOURS) - {"black"}
    assert all(r["prompt"].endswith(", contrast style") for r in rows)
    assert [r["prompt"].removesuffix(", contrast style") for r in rows] == [r["prompt"] for r in usual]
    assert 0.1 < sum(r["new"] for r in rows) / len(rows) < 0.3
