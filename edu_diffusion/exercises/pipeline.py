"""Questions of lesson 08: the whole pipeline, from a prompt and a seed to an image; its function is in text_to_image.py."""

import torch

from .exercise import Exercise
from .pipeline_choices import ANY_ORDER, LATENT_NUMBERS, NO_NOISE
from .stand_in import stand_in
from .text_to_image import TEXT_TO_IMAGE

__all__ = ["EXERCISES"]


def start_noise(pipe, seeds):
    """Noise for a batch of images, each from a generator of its own."""
    return torch.cat([noise((1, *latent(pipe)), seed) for seed in seeds])


def latent(pipe):
    """The shape (channels, height, width) of one latent."""
    config = pipe.unet.config
    return config.in_channels, config.sample_size, config.sample_size


def seeds():
    """Arguments (pipe, seeds): U-Nets with latents of different shapes."""
    return [(stand_in(), [3, 0, 7]), (stand_in(channels=9, size=8), [5])]


def noise(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def each(make):
    """A mistake in the noise of each seed: make(pipe, seed)."""
    return lambda pipe, seeds: torch.cat([make(pipe, seed) for seed in seeds])


def finish(vae, z):
    return vae.decode(z / vae.config.scaling_factor).sample.clamp(-1, 1)


def stretched(x):
    """The mistake of bringing an image to the full range."""
    return 2 * (x - x.min()) / (x.max() - x.min()) - 1


def latents():
    """Arguments (vae, z): two VAEs with different scaling factors."""
    rng = torch.Generator().manual_seed(41)
    return [(stand_in(factor).vae, torch.randn(n, 4, 6, 5, generator=rng)) for factor, n in ((0.5, 2), (0.18215, 1))]


def latents_fit(pipe, latents):
    return latents.shape == (1, *latent(pipe))


def latents_of_callers():
    """Arguments (pipe, latents): two U-Nets, each with latents that fit and some that do not, shuffled."""
    some, other = stand_in(), stand_in(channels=9, size=8)
    shapes = [
        (1, 4, 16, 16),
        (1, 3, 64, 64),
        (4, 16, 16),
        (2, 4, 16, 16),
        (1, 4, 16, 12),
        (1, 4, 12, 16),
        (1, 4, 12, 12),
        (1, 16, 4, 16),
        (1, 3, 16, 16),
    ]
    pairs = [(some, shape) for shape in shapes] + [(other, shape) for shape in ((1, 9, 8, 8), (1, 4, 16, 16), (1, 8, 8, 9))]
    pairs += [(some, shapes[0]), (some, shapes[0]), (other, (1, 9, 8, 8))]  # so that as good as every order has other answers
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(47)).tolist()
    return [(pairs[i][0], torch.zeros(pairs[i][1])) for i in order]


def prompt_batch(c_negative, c_prompts):
    return torch.cat([c_negative.expand(len(c_prompts), -1, -1), c_prompts])


def embeddings():
    """Arguments (c_negative, c_prompts): one negative prompt, three prompts, then two."""
    rng = torch.Generator().manual_seed(42)
    return [(torch.randn(1, 5, 4, generator=rng), torch.randn(n, 5, 4, generator=rng)) for n in (3, 2)]


EXERCISES = [
    Exercise(
        "start_noise",
        start_noise,
        seeds,
        (
            (
                "all images come from one generator, so the noise of the second one depends on the first seed; give each image a "
                "generator of its own.",
                lambda pipe, seeds: noise((len(seeds), *latent(pipe)), seeds[0]),
            ),
            (
                "these numbers are right for one U-Net only; take the shape from pipe.unet.config.",
                each(lambda pipe, seed: noise((1, 4, 16, 16), seed)),
            ),
            (
                "there is one dimension too few: each noise has the shape (1, channels, height, width), so that torch.cat "
                "can join them.",
                each(lambda pipe, seed: noise(latent(pipe), seed)),
            ),
            (
                "torch.stack adds a dimension; noises of shape (1, channels, height, width) are joined with torch.cat.",
                lambda pipe, seeds: torch.stack([noise((1, *latent(pipe)), seed) for seed in seeds]),
            ),
            (
                "this has the size of the image. The U-Net works on latents: pipe.unet.config knows how many channels and "
                "positions.",
                each(lambda pipe, seed: noise((1, 3, 64, 64), seed)),
            ),
            (
                "a latent has as many channels as the U-Net takes in, in_channels, not 3.",
                each(lambda pipe, seed: noise((1, 3, *latent(pipe)[1:]), seed)),
            ),
            (
                "these numbers lie between 0 and 1: torch.rand is uniform. The noise is Gaussian, torch.randn.",
                each(lambda pipe, seed: torch.rand((1, *latent(pipe)), generator=torch.Generator().manual_seed(seed))),
            ),
            (
                "the seeds are counted from 0 here; use those that are given.",
                lambda pipe, seeds: start_noise(pipe, range(len(seeds))),
            ),
            ("all images get the first seed.", lambda pipe, seeds: start_noise(pipe, [seeds[0]] * len(seeds))),
            (
                "this is the noise of the last seed only; collect the noise of all seeds in a list, and join them.",
                lambda pipe, seeds: start_noise(pipe, seeds[-1:]),
            ),
            (
                "this is the noise of the first seed only; there is one image for each seed.",
                lambda pipe, seeds: start_noise(pipe, seeds[:1]),
            ),
            (
                "a generator takes one seed, not a list; make a generator for each seed, in a loop.",
                lambda pipe, seeds: noise(latent(pipe), seeds),
            ),
        ),
        "each image depends on its own seed only, not on the batch it is generated in.",
    ),
    NO_NOISE,
    Exercise(
        "finish",
        finish,
        latents,
        (
            (
                "the latent still has the scale on which the U-Net works; the decoder expects the VAE's own. Which number leads "
                "from one to the other?",
                lambda vae, z: vae.decode(z).sample.clamp(-1, 1),
            ),
            (
                "the scale is right now, but the decoder overshoots: pixels must lie between -1 and 1.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample,
            ),
            (
                "two things are missing: the scale of the latent, and the limits of the pixels, -1 and 1.",
                lambda vae, z: vae.decode(z).sample,
            ),
            (
                "the encoder's latents are *multiplied* by the scaling factor in training; here you go the other way.",
                lambda vae, z: vae.decode(z * vae.config.scaling_factor).sample.clamp(-1, 1),
            ),
            (
                "the scaling factor belongs to the latent: divide before decoding, not the pixels afterwards.",
                lambda vae, z: vae.decode(z).sample.clamp(-1, 1) / vae.config.scaling_factor,
            ),
            (
                "there are two mistakes: on which scale does the decoder expect the latent, and between which limits do pixels "
                "lie in this course?",
                lambda vae, z: vae.decode(z).sample.clamp(0, 1),
            ),
            (
                "pixels go from -1 to 1 here, not from 0 to 1.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample.clamp(0, 1),
            ),
            (
                "the pixels are divided here; it is the latent that must be brought to the VAE's scale, before it is decoded.",
                lambda vae, z: (vae.decode(z).sample / vae.config.scaling_factor).clamp(-1, 1),
            ),
            ("pixels go from -1 to 1 here; converting them for a file comes later.", lambda vae, z: finish(vae, z) / 2 + 0.5),
            (
                "the scaling factor is in the VAE's configuration: vae.config.scaling_factor.",
                lambda vae, z: vae.decode(z / vae.scaling_factor),
            ),
            (
                "0.18215 belongs to Stable Diffusion 1.5; every VAE has its own factor, in vae.config.",
                lambda vae, z: vae.decode(z / 0.18215).sample.clamp(-1, 1),
            ),
            (
                "the latent is divided by its own standard deviation; a VAE's scale is a fixed number, vae.config.scaling_factor.",
                lambda vae, z: vae.decode(z / z.std()).sample.clamp(-1, 1),
            ),
            (
                "the latent is limited here; limit the pixels, after decoding.",
                lambda vae, z: vae.decode((z / vae.config.scaling_factor).clamp(-1, 1)).sample,
            ),
            (
                "tanh changes every pixel; clamp leaves those between -1 and 1 as they are.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample.tanh(),
            ),
            (
                "the upper limit is missing: .clamp(-1, 1) sets both.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample.clamp(min=-1),
            ),
            (
                "the lower limit is missing: .clamp(-1, 1) sets both.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample.clamp(max=1),
            ),
            (
                "the decoder's pixels go from -1 to 1 already: limit them to that, and do not stretch them afterwards.",
                lambda vae, z: vae.decode(z / vae.config.scaling_factor).sample.clamp(0, 1) * 2 - 1,
            ),
            (
                "this stretches the image from its darkest to its brightest pixel, which changes the contrast; only limit it.",
                lambda vae, z: stretched(vae.decode(z / vae.config.scaling_factor).sample),
            ),
        ),
        "the colours are right again, with every VAE.",
    ),
    TEXT_TO_IMAGE,
    Exercise(
        "latents_fit",
        latents_fit,
        latents_of_callers,
        (
            (
                "these numbers are right for one U-Net only; take them from pipe.unet.config.",
                lambda pipe, latents: latents.shape == (1, 4, 16, 16),
            ),
            (
                "the channels fit, but height and width may be anything; compare them with sample_size as well.",
                lambda pipe, latents: latents.shape[-3] == latent(pipe)[0],
            ),
            (
                "height and width fit, but there may be any number of channels; compare it with in_channels as well.",
                lambda pipe, latents: latents.shape[-2:] == latent(pipe)[1:],
            ),
            (
                "this counts the numbers. A latent may have the right number of them in another shape.",
                lambda pipe, latents: latents.numel() == torch.Size(latent(pipe)).numel(),
            ),
            (
                "two latents pass as well, and one whose first dimension is missing; one image needs the shape (1, channels, "
                "height, width).",
                lambda pipe, latents: latents.shape[-3:] == latent(pipe),
            ),
            (
                "two latents pass as well; here one image is drawn, so the first dimension must be 1.",
                lambda pipe, latents: latents.shape[1:] == latent(pipe),
            ),
            (
                "the width may be anything; it must be sample_size, like the height.",
                lambda pipe, latents: latents.shape[:3] == (1, *latent(pipe)[:2]),
            ),
            (
                "the height may be anything; it must be sample_size, like the width.",
                lambda pipe, latents: latents.shape[:2] + latents.shape[3:] == (1, *latent(pipe)[:2]),
            ),
            (
                "a latent without its first dimension passes; one image needs the shape (1, channels, height, width).",
                lambda pipe, latents: latents.shape in (latent(pipe), (1, *latent(pipe))),
            ),
            (
                "the first dimension is missing: a latent has the shape (1, channels, height, width).",
                lambda pipe, latents: latents.shape == latent(pipe),
            ),
            (
                "the channels stand last here; a latent has the shape (1, channels, height, width).",
                lambda pipe, latents: latents.shape == (1, *latent(pipe)[1:], latent(pipe)[0]),
            ),
            (
                "there may be any number of channels; compare the second dimension with in_channels as well.",
                lambda pipe, latents: latents.ndim == 4 and latents.shape[:1] + latents.shape[2:] == (1, *latent(pipe)[1:]),
            ),
            (
                "height and width are compared with each other only; compare them with sample_size.",
                lambda pipe, latents: latents.shape[:2] == (1, latent(pipe)[0]) and latents.shape[2:3] == latents.shape[3:],
            ),
            (
                "latents may have any number of dimensions; compare the shape as a whole, latents.shape == (...).",
                lambda pipe, latents: [channels for _, channels, _, _ in [latents.shape]],
            ),
            (
                "latents may have any number of dimensions; compare the shape as a whole, latents.shape == (...).",
                lambda pipe, latents: latents.shape[3],
            ),
            (
                "only the number of dimensions is compared; what each of them is counts as well.",
                lambda pipe, latents: latents.ndim == 4,
            ),
            ("this is the wrong way round: True means that they fit.", lambda pipe, latents: not latents_fit(pipe, latents)),
            ("everything passes; compare the shape with what the U-Net takes.", lambda pipe, latents: True),
            (
                "nothing passes, not even your own noise. Compare with (1, channels, height, width); a shape is equal to a tuple, "
                "in round brackets, and never to a list.",
                lambda pipe, latents: False,
            ),
        ),
        "whoever brings latents that do not fit gets a sentence, before anything is computed.",
    ),
    ANY_ORDER,
    LATENT_NUMBERS,
    Exercise(
        "prompt_batch",
        prompt_batch,
        embeddings,
        (
            (
                "there are B + 1 rows now. The U-Net needs two for each image: the negative prompt has to be repeated.",
                lambda c_negative, c_prompts: torch.cat([c_negative, c_prompts]),
            ),
            (
                "the prompts come first here; the loop expects the negative prompts in the first half.",
                lambda c_negative, c_prompts: prompt_batch(c_negative, c_prompts).roll(len(c_prompts), 0),
            ),
            (
                "negative prompt and prompt alternate here; .chunk(2) cuts the batch into a first and a second half.",
                lambda c_negative, c_prompts: torch.stack([c_negative.expand_as(c_prompts), c_prompts], 1).flatten(0, 1),
            ),
            (
                "each prompt stands next to its negative prompt in one long text; the two belong in different rows.",
                lambda c_negative, c_prompts: torch.cat([c_negative.expand_as(c_prompts), c_prompts], 1),
            ),
            (
                "torch.stack adds a dimension; torch.cat joins the rows of both in one batch.",
                lambda c_negative, c_prompts: torch.stack([c_negative.expand_as(c_prompts), c_prompts]),
            ),
            (
                "* B multiplies the numbers of a tensor; .repeat(B, 1, 1) repeats its row B times.",
                lambda c_negative, c_prompts: torch.cat([c_negative * len(c_prompts), c_prompts]),
            ),
            ("this is the negative prompt alone.", lambda c_negative, c_prompts: c_negative.repeat(2 * len(c_prompts), 1, 1)),
            ("the negative prompt is missing.", lambda c_negative, c_prompts: torch.cat([c_prompts, c_prompts])),
            (
                "the two are added; guidance needs both predictions separately.",
                lambda c_negative, c_prompts: c_negative + c_prompts,
            ),
            (
                "one is subtracted from the other; guidance needs both predictions separately.",
                lambda c_negative, c_prompts: c_prompts - c_negative,
            ),
            (
                "the tokens are repeated here; repeat the rows of the batch: .repeat(B, 1, 1).",
                lambda c_negative, c_prompts: torch.cat([c_negative.repeat(1, len(c_prompts), 1), c_prompts]),
            ),
            (
                ".expand takes a number for each dimension, -1 for those that stay: .expand(B, -1, -1).",
                lambda c_negative, c_prompts: c_negative.expand(len(c_prompts)),
            ),
            (
                ".repeat takes a number for each dimension, 1 for those that stay: .repeat(B, 1, 1).",
                lambda c_negative, c_prompts: c_negative.repeat(len(c_prompts)),
            ),
            (
                "only the first prompt is used; there is one for each image.",
                lambda c_negative, c_prompts: torch.cat([c_negative.expand_as(c_prompts), c_prompts[:1].expand_as(c_prompts)]),
            ),
            (
                "the numbers of the negative prompt have got into other places: repeat whole rows, with .expand or .repeat(B, 1, "
                "1).",
                lambda c_negative, c_prompts: torch.cat(
                    [c_negative.repeat_interleave(len(c_prompts), 1).reshape(c_prompts.shape), c_prompts]
                ),
            ),
        ),
        "a whole batch now shares one negative prompt, and the U-Net is evaluated once in each step, with two text embeddings for "
        "each image.",
    ),
]
