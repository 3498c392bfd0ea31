"""Lesson 08's questions: the stand-in behaves like a pipeline, right answers in several forms, hints for wrong ones."""

import contextlib
import itertools

import pytest
import tiny
import torch

from edu_diffusion import steps
from edu_diffusion.errors import EduError
from edu_diffusion.exercises import EXERCISES, arrange, verdict
from edu_diffusion.exercises import pipeline as bank
from edu_diffusion.exercises.lines import shuffled
from edu_diffusion.exercises.stand_in import stand_in
from edu_diffusion.exercises.text_to_image import TEXT_TO_IMAGE


def refused(name, mine, *fitting):
    right, words = verdict(name, mine)
    assert right is False and any(part in words for part in fitting), words


# ---------------------------------------------------------------- text to image


def own_words(pipe, prompt, z, n, g):
    """The lesson's solution."""
    ids = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids
    c = pipe.text_encoder(ids)[0]
    levels = steps.spaced_levels(pipe.scheduler.alphas_cumprod, n)
    for (t, abar_t), (s, abar_s) in zip(levels, levels[1:]):
        out_u, out_c = pipe.unet(torch.cat([z, z]), t, c).sample.chunk(2)
        eps = steps.to_eps(steps.guide(out_u, out_c, g), z, abar_t, "v_prediction")
        z = steps.ddim_step(z, eps, abar_t, abar_s)
    return pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)


def by_the_library(pipe, prompt, z, n, g):
    """With the scheduler's own step, two calls of the U-Net, and each text on its own."""
    pipe.scheduler.set_timesteps(n)
    texts = [pipe.tokenizer(x, padding="max_length", truncation=True, return_tensors="pt") for x in ([""], [prompt])]
    c_u, c_c = (pipe.text_encoder(x.input_ids, attention_mask=x.attention_mask)[0] for x in texts)
    for t in pipe.scheduler.timesteps:
        out_u, out_c = (pipe.unet(z, t, encoder_hidden_states=c, return_dict=False)[0] for c in (c_u, c_c))
        z = pipe.scheduler.step((1 - g) * out_u + g * out_c, t, z).prev_sample
    return pipe.vae.decode(z / pipe.vae.config.scaling_factor, return_dict=False)[0].clamp(-1, 1)


def by_our_steps(pipe, prompt, z, n, g):
    """With the package's embed, generate's way of stepping, and decode."""
    c = steps.embed(pipe, ["", prompt])
    levels = steps.spaced_levels(pipe.scheduler.alphas_cumprod, n)
    for (t, abar_t), (_, abar_s) in itertools.pairwise(levels):
        v = steps.guide(*pipe.unet(z.repeat(2, 1, 1, 1), t, c).sample.chunk(2), g)
        z = steps.q_sample(steps.x0_from_v(v, z, abar_t), steps.eps_from_v(v, z, abar_t), abar_s)
    return steps.decode(pipe, z)


def by_names(pipe, prompt, z, n, g):
    """With every part of an output by its name in brackets, the tokens as keywords, and a timestep for each latent."""
    texts = pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt")
    c = pipe.text_encoder(**texts)["last_hidden_state"]
    levels = steps.spaced_levels(pipe.scheduler.alphas_cumprod, n)
    for (t, abar_t), (_, abar_s) in itertools.pairwise(levels):
        v = steps.guide(*pipe.unet(torch.cat([z, z]), torch.tensor([t, t]), c)["sample"].chunk(2), g)
        z = steps.ddim_step(z, steps.eps_from_v(v, z, abar_t), abar_t, abar_s)
    return pipe.vae.decode(z / pipe.vae.config["scaling_factor"])["sample"].clamp(-1, 1)


@pytest.mark.parametrize("mine", [own_words, by_the_library, by_our_steps, by_names])
def test_other_ways_to_the_same_image_are_right(mine):
    assert verdict("text_to_image", mine).right, verdict("text_to_image", mine).words


def test_the_solution_draws_what_the_library_draws():
    """The lesson's function in a real pipeline, with random weights."""
    pipe = tiny.pipeline()
    z = steps.initial_noise(pipe, [3])
    with torch.no_grad():
        mine = own_words(pipe, "a cat", z, 4, 3.0)
        theirs = pipe("a cat", latents=z, num_inference_steps=4, guidance_scale=3.0, output_type="pt").images
    assert torch.allclose(mine / 2 + 0.5, theirs, atol=1e-3)


def swapped_names(pipe, prompt, z, n, g):
    return own_words(pipe, "a dog", z, n, g)


def without_padding(pipe, prompt, z, n, g):
    return pipe.text_encoder(pipe.tokenizer([prompt], return_tensors="pt").input_ids)[0]


def one_latent(pipe, prompt, z, n, g):
    c = steps.embed(pipe, ["", prompt])
    return pipe.unet(z, 500, c).sample


def with_this(pairs=lambda levels: zip(levels, levels[1:]), eps=lambda v, z, a, s: steps.eps_from_v(v, z, a), texts=None):
    """A function that makes one mistake: in the order of the levels, in what it takes for the noise, or in the texts."""

    def mine(pipe, prompt, z, n, g):
        c = pipe.text_encoder(pipe.tokenizer(["", prompt], padding="max_length", return_tensors="pt").input_ids)
        c = texts(c, g) if texts else c[0]
        for (t, a), (_, s) in pairs(steps.spaced_levels(pipe.scheduler.alphas_cumprod, n)):
            without, given = pipe.unet(torch.cat([z, z]), t, c).sample
            z = steps.ddim_step(z, eps(without + g * (given - without), z, a, s), a, s)
        return pipe.vae.decode(z / pipe.vae.config.scaling_factor).sample.clamp(-1, 1)

    return mine


def mixed_texts(c, g):
    without, given = c[0]
    return torch.stack([without + g * (given - without)] * 2)


@pytest.mark.parametrize(
    "mine, words",
    [
        (swapped_names, "differ"),
        (without_padding, "pad them to the full length"),
        (one_latent, "needs a text for each latent"),
        (lambda pipe, prompt, z, n, g: z, "shape"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n, g)[0], "a dimension is missing"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n, g) / 2, "always 0.5 times"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, torch.randn_like(z), n, g), "a different result each time"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n + 1, g), "differ"),
        (lambda pipe, prompt, z, n, g: pipe.vae.decode(z), "returns a"),
        (lambda pipe, prompt, z, n, g: pipe.decode(z), "AttributeError"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n, 1.0), "guidance changes nothing"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n, 0.0), "the prompt changes nothing"),
        (with_this(lambda levels: zip(levels[:1], levels[1:])), "only one step is made"),
        (with_this(lambda levels: zip(levels, levels[1:-1])), "the last step is missing"),
        (with_this(lambda levels: zip(levels[::-1], levels[-2::-1])), "passed through backwards"),
        (with_this(lambda levels: zip(levels, levels[:0])), "the noise at the start is decoded"),
        (with_this(eps=lambda v, z, a, s: s**0.5 * v + (1 - s) ** 0.5 * z), "at the wrong noise level"),
        (with_this(texts=mixed_texts), "not the two text embeddings"),
        (with_this(texts=lambda c, g: c), "its first part, [0]"),
        (with_this(eps=lambda v, z, a, s: steps.eps_from_v(z, v, a)), "to_eps takes v first"),
        (
            with_this(lambda levels: [((s, a), (s, b)) for (_, a), (s, b) in zip(levels, levels[1:])]),
            "the timestep of the next level",
        ),
        (with_this(lambda levels: [((a, a), (s, b)) for (_, a), (s, b) in zip(levels, levels[1:])]), "gets abar_t"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, n, steps.GUIDANCE), "g is not used"),
        (lambda pipe, prompt, z, n, g: own_words(pipe, prompt, z, 20, g), "n is not used"),
        (lambda *given: own_words(*given).clamp(0), "not from 0 to 1"),
        (
            lambda pipe, prompt, z, n, g: pipe.unet(torch.stack([z, z]), 9, steps.embed(pipe, ["", prompt])),
            "torch.cat joins the two",
        ),
    ],
)
def test_wrong_images_get_a_hint(mine, words):
    refused("text_to_image", mine, words)


def test_without_a_mistake_that_function_is_right():
    assert verdict("text_to_image", with_this()).right


def test_the_lines_in_order_are_right_and_two_of_them_exchanged_are_not():
    _, *body = TEXT_TO_IMAGE.lines
    letter = {line: "ABCDEFGHIJKL"[i] for i, line in enumerate(shuffled(body, "text_to_image"))}
    order = [letter[line] for line in body]
    assert verdict("text_to_image", arrange("text_to_image", "".join(order))).right
    for i, j in ((4, 5), (5, 6), (6, 7), (7, 8), (0, 1)):
        other = list(order)
        other[i], other[j] = other[j], other[i]
        with contextlib.suppress(EduError):  # where the lines make no function in this order
            assert verdict("text_to_image", arrange("text_to_image", "".join(other))).right is False


# ---------------------------------------------------------------- the smaller functions


@pytest.mark.parametrize(
    "name, mine",
    [
        ("start_noise", lambda pipe, seeds: steps.initial_noise(pipe, seeds)),
        ("start_noise", lambda pipe, seeds: torch.stack([bank.start_noise(pipe, [seed])[0] for seed in seeds])),
        ("finish", lambda vae, z: vae.decode(z / vae.config.scaling_factor, return_dict=False)[0].clip(-1, 1)),
        ("finish", lambda vae, z: torch.clamp(vae.decode(1 / vae.config["scaling_factor"] * z).sample, min=-1, max=1)),
        ("latents_fit", lambda pipe, latents: latents.shape == bank.start_noise(pipe, [7]).shape),
        ("latents_fit", lambda pipe, latents: list(latents.shape) == [1, *bank.latent(pipe)]),
        ("latents_fit", lambda pipe, latents: torch.tensor(latents.ndim == 4 and tuple(latents.shape) == (1, *bank.latent(pipe)))),
        ("prompt_batch", lambda c_negative, c_prompts: torch.cat([c_negative] * len(c_prompts) + [c_prompts])),
        ("prompt_batch", lambda c_negative, c_prompts: torch.cat([c_negative.repeat(len(c_prompts), 1, 1), c_prompts], dim=0)),
        ("prompt_batch", lambda c_negative, c_prompts: torch.vstack([0 * c_prompts + c_negative, c_prompts])),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def brightest(x):
    """Stretched until the darkest pixel is -1 and the brightest 1."""
    return (x - x.min()) * 2 / (x.max() - x.min()) - 1


def channels_last(pipe, latents):
    channels, height, width = bank.latent(pipe)
    return list(latents.shape) == [1, height, width, channels]


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("start_noise", lambda pipe, seeds: torch.randn(len(seeds), 4, 16, 16), "a different result each time"),
        ("start_noise", lambda pipe, seeds: torch.zeros(len(seeds), 4, 16, 16), "yours is 0 and"),
        (
            "start_noise",
            lambda pipe, seeds: torch.cat([bank.noise((1, 4, 16, 16), seed) for seed in seeds]),
            "right for one U-Net only",
        ),
        ("finish", lambda vae, z: (vae.decode(z).sample / vae.config.scaling_factor).clamp(-1, 1), "the pixels are divided here"),
        ("start_noise", lambda pipe, seeds: [bank.noise((1, 4, 16, 16), seed) for seed in seeds], "returns a list"),
        ("start_noise", lambda pipe, seeds: 2 * bank.start_noise(pipe, seeds), "always 2 times"),
        ("start_noise", lambda pipe, seeds: bank.start_noise(pipe, seeds[::-1]), "not in the right places"),
        ("start_noise", lambda pipe, seeds: bank.start_noise(pipe, seeds).mean(), "mean or a sum"),
        ("finish", lambda vae, z: z, "shape"),
        ("finish", lambda vae, z: vae.decode(z / vae.config.scaling_factor), "returns a"),
        ("finish", lambda vae, z: vae.decode(z - vae.config.scaling_factor).sample.clamp(-1, 1), "differ"),
        ("finish", lambda vae, z: vae.decode(z / vae.scaling_factor).sample.clamp(-1, 1), "in the VAE's configuration"),
        ("latents_fit", lambda pipe, latents: latents.shape == [1, *bank.latent(pipe)], "never to a list"),
        ("latents_fit", lambda pipe, latents: latents.shape[3] == 16, "stopped with IndexError"),
        ("latents_fit", lambda pipe, latents: latents.shape[-1] == latents.shape[-2], "first where yours is 1 and 0 is expected"),
        ("latents_fit", lambda pipe, latents: latents.shape, "returns a Size"),
        ("latents_fit", lambda pipe, latents: "fits", "returns a str"),
        ("latents_fit", lambda pipe, latents: latents.sum() == 0, "everything passes"),
        ("prompt_batch", lambda c_negative, c_prompts: c_prompts, "shape"),
        (
            "prompt_batch",
            lambda c_negative, c_prompts: torch.cat([c_negative.expand_as(c_prompts), -c_prompts]),
            "-c_prompts in place",
        ),
        ("prompt_batch", lambda c_negative, c_prompts: bank.prompt_batch(c_negative, c_prompts).mean(1), "shape"),
        ("prompt_batch", lambda c_negative, c_prompts: torch.cat(c_negative, c_prompts), "TypeError"),
        ("finish", lambda vae, z: torch.clamp(vae.decode(z / z.std()).sample, -1, 1), "a fixed number"),
        ("finish", lambda vae, z: vae.decode(torch.clamp(z / vae.config["scaling_factor"], -1, 1))[0], "after decoding"),
        ("finish", lambda vae, z: torch.tanh(vae.decode(z / vae.config.scaling_factor)[0]), "tanh changes every pixel"),
        ("finish", lambda vae, z: vae.decode(z / vae.config.scaling_factor)[0].clamp(-1), "the upper limit is missing"),
        ("finish", lambda vae, z: vae.decode(z / vae.config.scaling_factor)[0].clamp(max=1), "the lower limit is missing"),
        (
            "latents_fit",
            lambda pipe, latents: bank.latents_fit(pipe, latents) or latents.shape == (1, 4, 12, 12),
            "with each other only",
        ),
        (
            "start_noise",
            lambda pipe, seeds: torch.randn(1, 4, generator=torch.Generator().manual_seed(seeds)),
            "a generator for each seed",
        ),
        ("latents_fit", lambda pipe, latents: latents.shape[3] == 16 and latents.shape[0] == 1, "the shape as a whole"),
        (
            "prompt_batch",
            lambda c_negative, c_prompts: torch.cat([c_negative.repeat(1, len(c_prompts), 1), c_prompts]),
            "repeat the rows",
        ),
        (
            "prompt_batch",
            lambda c_negative, c_prompts: torch.cat([c_negative.expand(len(c_prompts)), c_prompts]),
            ".expand(B, -1, -1)",
        ),
        (
            "prompt_batch",
            lambda c_negative, c_prompts: torch.cat([c_negative.repeat(len(c_prompts)), c_prompts]),
            ".repeat(B, 1, 1)",
        ),
        ("finish", lambda vae, z: 2 * vae.decode(z / vae.config.scaling_factor)[0].clamp(0, 1) - 1, "do not stretch them"),
        ("finish", lambda vae, z: brightest(vae.decode(z / vae.config.scaling_factor)[0]), "changes the contrast"),
        ("finish", lambda vae, z: vae.decode(z / vae.config.scaling_factor).clamp(-1, 1), "the tensor is its .sample"),
        ("latents_fit", channels_last, "the channels stand last here"),
        (
            "latents_fit",
            lambda pipe, latents: len(latents) == 1 and latents[0, 0].shape == bank.latent(pipe)[1:],
            "any number of channels",
        ),
        ("prompt_batch", lambda c_negative, c_prompts: -(c_negative - c_prompts), "subtracted from the other"),
        ("prompt_batch", lambda n, c: torch.stack([n.repeat(len(c), 1, 1), c]), "torch.cat joins the rows of both"),
        ("prompt_batch", lambda n, c: torch.vstack([len(c) * n, c]), "* B multiplies the numbers"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_the_broken_function_of_the_lesson_has_its_own_hint():
    refused("finish", lambda vae, z: vae.decode(z).sample.clamp(0, 1), "there are two mistakes")


# ---------------------------------------------------------------- letters, the number, the stand-in


def test_without_noise_all_seeds_give_one_smooth_image_of_what_the_prompt_says():
    import edu_diffusion as ed
    from edu_diffusion import metrics
    from edu_diffusion.data import scenes

    pipe, prompts = ed.load("base", "cpu"), ["a cat face on a blue background"] * 2
    noise = steps.initial_noise(pipe, [0, 1])
    some, none = (steps.final(pipe, steps.generate(pipe, prompts, z_T=z, steps=10)) for z in (noise, 0 * noise))
    assert torch.equal(none[0], none[1]) and not torch.equal(some[0], some[1])
    rough = lambda x: (x[..., 1:] - x[..., :-1]).abs().mean()
    assert rough(none) < 0.8 * rough(some)
    seen = metrics.read(metrics.load_judge("cpu"), none)
    assert "cat face" in metrics.described(seen)[0] and scenes.COLOURS[seen["colour"][0]] == "blue"
    assert bank.NO_NOISE.right == "C"


def test_only_noise_and_text_can_be_exchanged():
    """What each step needs, and what it gives; the pair of the right letter shares nothing."""
    needs = {"noise": set(), "tokens": set(), "encode": {"tokens"}, "guide": {"noise", "encode"}, "step": {"guide"}}
    needs |= {"scale": {"step"}, "decode": {"scale"}}
    pairs = {"A": ("noise", "encode"), "B": ("tokens", "encode"), "C": ("guide", "step"), "D": ("scale", "decode")}
    free = [letter for letter, (a, b) in pairs.items() if a not in needs[b] and b not in needs[a]]
    assert free == [bank.ANY_ORDER.right] == ["A"]


def test_the_latent_of_a_wide_image():
    image, latent = torch.zeros(1, 3, 512, 768), torch.zeros(1, 4, 512 // 8, 768 // 8)
    assert latent.numel() == bank.LATENT_NUMBERS.right and image.numel() / latent.numel() == 48
    assert verdict("latent_numbers", 24_576).right and "times" in verdict("latent_numbers", 25_000_000).words


def test_each_result_of_the_stand_in_depends_on_every_input():
    pipe = stand_in()
    ids = pipe.tokenizer(["", "a cat"], padding="max_length", return_tensors="pt").input_ids
    c = pipe.text_encoder(ids)[0]
    z = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    v = pipe.unet(z, 500, c).sample
    for other in ((z + 0.1, 500, c), (z, 400, c), (z, 500, c.flip(0))):
        assert (pipe.unet(*other).sample - v).abs().max() > 0.01
    assert v.shape == z.shape and (c[0] - c[1]).abs().max() > 0.1
    assert pipe.vae.decode(z).sample.abs().max() > 1, "the decoder overshoots, so that limits count"
    with pytest.raises(RuntimeError, match="a text for each latent"):
        pipe.unet(z[:1], 500, c)


def test_the_names_are_this_lessons_own():
    assert "guide" not in {e.name for e in bank.EXERCISES} and EXERCISES["guide"] not in bank.EXERCISES
