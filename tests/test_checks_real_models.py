"""Questions of lesson 18: the right letters are facts, other spellings are right, unseen mistakes get a hint that fits."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from edu_diffusion import models, steps
from edu_diffusion.exercises import verdict

# ---------------------------------------------------------------- facts


def tutorial(pipe, prompt, kind, count=8):
    """The latent of a loop that takes the model's output for `kind`."""
    abar, z, c = pipe.scheduler.alphas_cumprod, steps.initial_noise(pipe, [0]), steps.embed(pipe, ["", prompt])
    for t, s in steps.ddim_timesteps(count):
        with torch.no_grad():
            out = steps.guide(*pipe.unet(torch.cat([z, z]), t, encoder_hidden_states=c).sample.chunk(2), 3)
        z_0 = steps.to_x0(out, z, abar[t], kind)
        z = steps.q_sample(z_0, steps.eps_from_x0(z_0, z, abar[t]), abar[s] if s >= 0 else torch.tensor(1.0))
    return z


def test_a_model_that_predicts_v_taken_for_one_that_predicts_noise():
    """No error, glaring, and still related to the right image."""
    pipe = models.load("base", "cpu")
    wrong, right = (tutorial(pipe, "a cat face on a blue background", kind) for kind in ("epsilon", "v_prediction"))
    pictures = [
        pipe.vae.decode(z / factor).sample.detach() for z, factor in ((wrong, 0.18215), (right, pipe.vae.config.scaling_factor))
    ]
    assert wrong.isfinite().all() and wrong.std() > 5 * right.std()
    assert torch.corrcoef(torch.stack([x.clamp(-1, 1).flatten() for x in pictures]))[0, 1] > 0.4


def grown():
    """{kind of layer: parameters of SDXL's U-Net beyond 1.5's}, and the share of the coarsest level's attention in XL."""
    sums = []
    for name in ("sd15", "sdxl"):
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(models.PUBLISHED[name]["unet"])
        found = {}
        for full, p in unet.named_parameters():
            kind = "attention" if ".attentions." in full else "resnets" if ".resnets." in full else "rest"
            coarse = full.startswith(("down_blocks.2", "mid_block", "up_blocks.0"))
            found[kind, coarse] = found.get((kind, coarse), 0) + p.numel()
        sums.append(found)
    return sums


def test_the_new_parameters_are_attention_at_the_coarsest_level():
    one, xl = grown()
    new = sum(xl.values()) - sum(one.values())
    total = lambda found, kind: sum(n for (k, _), n in found.items() if k == kind)
    assert round(new / 1e7) == 171
    assert xl["attention", True] > 0.8 * sum(xl.values()) and total(xl, "attention") - total(one, "attention") > new
    assert total(xl, "resnets") < total(one, "resnets"), "what the hints of A and D say"
    assert models.PUBLISHED["sdxl"]["unet"]["down_block_types"][0] == "DownBlock2D"


def test_file_sizes_are_four_and_two_bytes_a_parameter():
    one, xl = (sum(models.architecture(name).parameters.values()) for name in ("sd15", "sdxl"))
    assert 4 * one == pytest.approx(4.27e9, rel=2e-3) and 2 * xl == pytest.approx(6.94e9, rel=2e-3)  # a header comes on top


# ---------------------------------------------------------------- spellings


def with_steps(out, z_t, abar_t, kind):
    return steps.to_x0(out, z_t, abar_t, kind)


def through_noise(out, z_t, abar_t, kind):
    eps = out if kind == "epsilon" else abar_t**0.5 * out + (1 - abar_t) ** 0.5 * z_t
    return (z_t - (1 - abar_t) ** 0.5 * eps) / abar_t**0.5


def with_angles(out, z_t, abar_t, kind):
    phi = torch.acos(abar_t.sqrt())
    if kind == "epsilon":
        return z_t / phi.cos() - phi.tan() * out
    return phi.cos() * z_t - phi.sin() * out


def with_roots(out, z_t, abar_t, kind):
    if kind == "epsilon":
        return (z_t - torch.sqrt(1 - abar_t) * out) / torch.sqrt(abar_t)
    return abar_t.sqrt() * z_t - (1 - abar_t).sqrt() * out


@pytest.mark.parametrize("mine", [with_steps, through_noise, with_angles, with_roots])
def test_other_spellings_of_the_clean_latent(mine):
    assert verdict("clean_latent", mine).right


def by_hand(height, width, side):
    if height < width:
        return torch.tensor([height, width, 0, (width * side // height - side) // 2, side, side])
    return torch.tensor([height, width, (height * side // width - side) // 2, 0, side, side])


def with_the_step(height, width, side):
    shorter = min(height, width)
    crop = [int(side * (n - shorter) / shorter / 2 + 1e-6) for n in (height, width)]
    return steps.size_ids((height, width), crop, (side, side))


def floats(height, width, side):
    new = torch.tensor([height, width]) * side / min(height, width)
    return torch.cat([torch.tensor([height, width]).float(), (new - side) / 2, torch.tensor([side, side]).float()])


@pytest.mark.parametrize("mine", [by_hand, with_the_step, floats])
def test_other_spellings_of_the_sizes(mine):
    assert verdict("told_sizes", mine).right


# ---------------------------------------------------------------- unseen mistakes


def velocity(kind, out, z, a, result):
    """Right for noise, `result` for v."""
    return result if kind == "v_prediction" else with_roots(out, z, a, kind)


def noise(kind, out, z, a, result):
    return result if kind == "epsilon" else with_roots(out, z, a, kind)


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda out, z, a, kind: out, "out itself"),
        (lambda out, z, a, kind: z, "z_t itself"),
        (lambda out, z, a, kind: 2 * with_steps(out, z, a, kind), "2 times"),
        (lambda out, z, a, kind: -with_steps(out, z, a, kind), "opposite sign"),
        (lambda out, z, a, kind: with_steps(out, z, a, kind).mean(), "shape"),
        (lambda out, z, a, kind: with_steps(out, z, a, kind)[:1], "shape"),
        (lambda out, z, a, kind: print(kind), "returns nothing"),
        (lambda out, z, a, kind: with_steps(out, z, a, "velocity"), "velocity"),
        (lambda out, z, a: out, "argument"),
        (lambda out, z, a, kind: a.sqrt() * z, "expected is"),
        (lambda out, z, a, kind: velocity(kind, out, z, a, a.sqrt() * out - (1 - a).sqrt() * z), "swapped"),
        (lambda out, z, a, kind: velocity(kind, out, z, a, (a.sqrt() * z - out) / (1 - a).sqrt()), "taken for the noise"),
        (lambda out, z, a, kind: velocity(kind, out, z, a, a.sqrt() * z - (1 - a.sqrt()) * out), "not 1 - sqrt(abar_t)"),
        (lambda out, z, a, kind: velocity(kind, out, z, a, z - (1 - a).sqrt() * out), "needs a factor"),
        (lambda out, z, a, kind: noise(kind, out, z, a, z - (1 - a).sqrt() * out / a.sqrt()), "brackets"),
        (lambda out, z, a, kind: noise(kind, out, z, a, (z - a.sqrt() * out) / (1 - a).sqrt()), "swapped"),
        (lambda out, z, a, kind: noise(kind, out, z, a, (z - (1 - a).sqrt() * out) / a), "square root of abar_t"),
        (lambda out, z, a, kind: noise(kind, out, z, a, a.sqrt() * z + (1 - a).sqrt() * out), "mixes once more"),
    ],
)
def test_unseen_mistakes_of_the_clean_latent(mine, words):
    right, said = verdict("clean_latent", mine)
    assert right is False and words in said


@pytest.mark.parametrize(
    "mine, words",
    [
        (lambda h, w, s: [h, w, 0, 0, s, s], "torch"),
        (lambda h, w, s: torch.tensor([h, w, s, s]), "shape"),
        (lambda h, w, s: by_hand(h, w, s)[None], "shape"),
        (lambda h, w, s: by_hand(h, w, s) / s, ""),
        (lambda h, w, s: by_hand(h, w, s) // 2, ""),
        (lambda h, w, s: torch.tensor([h, w, s, s, h, w]), ""),
        (lambda h, w, s: None, "returns nothing"),
        (lambda h, w, s: torch.tensor([h, w, (h - s) / 2, (w - s) / 2, s, s]), "before scaling"),
        (lambda h, w, s: torch.tensor([h, w, (h * (k := min(h, w) / s) - s) / 2, (w * k - s) / 2, s, s]), "upside down"),
        (lambda h, w, s: torch.tensor([h, w, (h * (k := s // min(h, w)) - s) // 2, (w * k - s) // 2, s, s]), "whole number"),
        (lambda h, w, s: torch.tensor([h, w, (s - h * (k := s / min(h, w))) / 2, (s - w * k) / 2, s, s]), "not negative"),
        (lambda h, w, s: torch.tensor([h, w, 0, (w * s / h - s) / 2, s, s]), "wide images only"),
        (lambda h, w, s: torch.tensor([h, w, (h * s / w - s) / 2, 0, s, s]), "tall images only"),
    ],
)
def test_unseen_mistakes_of_the_sizes(mine, words):
    right, said = verdict("told_sizes", mine)
    assert right is False and words in said
