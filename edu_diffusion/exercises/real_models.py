"""Questions of lesson 18: published models, the conventions that code must follow, files, hashes and licences."""

import torch

from .exercise import Exercise
from .real_models_choices import FILE_SIZES, MAY_SELL, NEW_PARAMETERS, NO_ERROR, SAME_HASH

__all__ = ["EXERCISES"]


def clean_latent(out, z_t, abar_t, kind):
    if kind == "v_prediction":
        return abar_t**0.5 * z_t - (1 - abar_t) ** 0.5 * out
    return (z_t - (1 - abar_t) ** 0.5 * out) / abar_t**0.5


def outputs():
    """Arguments (out, z_t, abar_t, kind): both kinds, at two noise levels."""
    rng = torch.Generator().manual_seed(18)
    x = lambda: torch.randn(2, 4, 3, 5, generator=rng)
    return [(x(), x(), torch.tensor(abar), kind) for kind in ("epsilon", "v_prediction") for abar in (0.9, 0.2)]


def kinds(noise, velocity):
    """A function of the same arguments that computes one of two formulas."""
    return lambda out, z, a, kind: velocity(out, z, a) if kind == "v_prediction" else noise(out, z, a)


def from_noise(out, z, a):
    return clean_latent(out, z, a, "epsilon")


def from_v(out, z, a):
    return clean_latent(out, z, a, "v_prediction")


CLEAN_LATENT = Exercise(
    "clean_latent",
    clean_latent,
    outputs,
    (
        (
            "this treats every output as noise, as code for SD 1.5 does; `kind` says what the output is.",
            kinds(from_noise, from_noise),
        ),
        ('this treats every output as v; for `kind` "epsilon" it is the noise.', kinds(from_v, from_v)),
        ("the two kinds are swapped.", kinds(from_v, from_noise)),
        (
            "for v, this is the noise, not the clean latent: eliminate the other unknown.",
            kinds(from_noise, lambda out, z, a: a**0.5 * out + (1 - a) ** 0.5 * z),
        ),
        (
            "for v, the sign is wrong: put your z_0 into the two equations and see.",
            kinds(from_noise, lambda o, z, a: a**0.5 * z + (1 - a) ** 0.5 * o),
        ),
        ("for v, the square roots are missing.", kinds(from_noise, lambda o, z, a: a * z - (1 - a) * o)),
        (
            "for v, the two factors are swapped: which of them belongs to z_t?",
            kinds(from_noise, lambda o, z, a: (1 - a) ** 0.5 * z - a**0.5 * o),
        ),
        (
            "for v, something is divided too often: the squares of the two factors add up to 1, so nothing is left to divide by.",
            kinds(from_noise, lambda o, z, a: from_v(o, z, a) / a**0.5),
        ),
        ("for v, this is minus the clean latent.", kinds(from_noise, lambda o, z, a: -from_v(o, z, a))),
        (
            "for noise, divide by sqrt(abar_t): the noisy latent holds the clean one only in that proportion.",
            kinds(lambda o, z, a: z - (1 - a) ** 0.5 * o, from_v),
        ),
        ("for noise, the square roots are missing.", kinds(lambda o, z, a: (z - (1 - a) * o) / a, from_v)),
        ("for noise, it must be subtracted, not added.", kinds(lambda o, z, a: (z + (1 - a) ** 0.5 * o) / a**0.5, from_v)),
        (
            "for noise, brackets are missing: the whole difference is divided by sqrt(abar_t).",
            kinds(lambda o, z, a: z - (1 - a) ** 0.5 * o / a**0.5, from_v),
        ),
        (
            "for noise, the two factors are swapped: which of them belongs to z_t?",
            kinds(lambda o, z, a: (z - a**0.5 * o) / (1 - a) ** 0.5, from_v),
        ),
        ("for noise, divide by the square root of abar_t.", kinds(lambda o, z, a: (z - (1 - a) ** 0.5 * o) / a, from_v)),
        (
            "for noise, this mixes once more, as in training; solve the equation of z_t for z_0.",
            kinds(lambda o, z, a: a**0.5 * z + (1 - a) ** 0.5 * o, from_v),
        ),
        (
            "for v, z_t needs a factor as well: z_0 is a mixture of z_t and v.",
            kinds(from_noise, lambda o, z, a: z - (1 - a) ** 0.5 * o),
        ),
        ("for v, the output and z_t are swapped.", kinds(from_noise, lambda o, z, a: from_v(z, o, a))),
        (
            "for v, z_t is taken for the noise; it is a mixture of noise and clean latent. Use both equations.",
            kinds(from_noise, lambda o, z, a: (a**0.5 * z - o) / (1 - a) ** 0.5),
        ),
        *(
            ("the square root belongs to the whole 1 - abar_t: sqrt(1 - abar_t), not 1 - sqrt(abar_t).", kinds(noise, velocity))
            for noise, velocity in (
                (lambda o, z, a: (z - (1 - a**0.5) * o) / a**0.5, lambda o, z, a: a**0.5 * z - (1 - a**0.5) * o),
                (from_noise, lambda o, z, a: a**0.5 * z - (1 - a**0.5) * o),
            )
        ),
    ),
    "it reads what the model predicts, so the same loop runs with every one of these models.",
)


def told_sizes(height, width, side):
    scale = side / min(height, width)
    top, left = ((round(scale * n) - side) // 2 for n in (height, width))
    return torch.tensor([height, width, top, left, side, side])


def training_images():
    """Arguments (height, width, side): wide, high, square and small images, which fit in whole pixels."""
    found = [(600, 900, 512), (1200, 800, 512), (256, 256, 1024), (300, 400, 600), (640, 480, 768)]
    times = torch.randint(1, 9, (len(found),), generator=torch.Generator().manual_seed(0)).tolist()
    return [(height * n, width * n, side * n) for n, (height, width, side) in zip(times, found)]


def sizes(make):
    """A mistake in six numbers: make(h, w, side, top, left), with the right top and left."""

    def wrong(height, width, side):
        top, left = told_sizes(height, width, side)[2:4].tolist()
        return torch.tensor(make(height, width, side, top, left))

    return wrong


def cut(height, width, side, scale, half=2):
    """(top, left) of a crop after another enlargement, or not from the middle."""
    return [(round(scale * n) - side) // half for n in (height, width)]


def cut_exactly(height, width, side, scale):
    return [(scale * n - side) / 2 for n in (height, width)]


def scaled(h, w, side):
    return [round(side / min(h, w) * n) for n in (h, w)]


TOLD_SIZES = Exercise(
    "told_sizes",
    told_sizes,
    training_images,
    (
        (
            "you have measured top and left in the image before scaling. Scale first, so that its shorter side has `side` pixels.",
            sizes(lambda h, w, s, t, x: [h, w, *((n - min(h, w)) // 2 for n in (h, w)), s, s]),
        ),
        (
            "you have measured top and left in the image before scaling. Scale first, so that its shorter side has `side` pixels.",
            sizes(lambda h, w, s, t, x: [h, w, *((n - s) // 2 for n in (h, w)), s, s]),
        ),
        (
            "the scale is upside down: `side` divided by the shorter side.",
            sizes(lambda h, w, s, t, x: [h, w, *((min(h, w) / s * n - s) / 2 for n in (h, w)), s, s]),
        ),
        (
            "the scale becomes a whole number here: divide with `/`, not with `//`.",
            sizes(lambda h, w, s, t, x: [h, w, *((s // min(h, w) * n - s) // 2 for n in (h, w)), s, s]),
        ),
        (
            "the square is subtracted from the scaled image, not the other way round: top and left are not negative.",
            sizes(lambda h, w, s, t, x: [h, w, -t, -x, s, s]),
        ),
        (
            "the square is cut from the middle, so only half of what is left over lies above it, or to its left.",
            sizes(lambda h, w, s, t, x: [h, w, 2 * t, 2 * x, s, s]),
        ),
        (
            "the crop is missing: (0, 0) says that nothing was cut away above or on the left.",
            sizes(lambda h, w, s, t, x: [h, w, 0, 0, s, s]),
        ),
        ("heights come before widths: here each pair is the other way round.", sizes(lambda h, w, s, t, x: [w, h, x, t, s, s])),
        ("top and left are swapped: the vertical number comes first.", sizes(lambda h, w, s, t, x: [h, w, x, t, s, s])),
        ("the first pair is the size before scaling, with the height first.", sizes(lambda h, w, s, t, x: [w, h, t, x, s, s])),
        (
            "the first two numbers are the size that the image had *before* it was scaled: they say how sharp it can be.",
            sizes(lambda h, w, s, t, x: [*scaled(h, w, s), t, x, s, s]),
        ),
        (
            "the last two numbers are the size of what the model sees in training, the square.",
            sizes(lambda h, w, s, t, x: [h, w, t, x, *scaled(h, w, s)]),
        ),
        ("the last two numbers must be the size of the square.", sizes(lambda h, w, s, t, x: [h, w, t, x, h, w])),
        ("the size of the square comes last, that of the original image first.", sizes(lambda h, w, s, t, x: [s, s, t, x, h, w])),
        ("the size of the square comes last, after top and left.", sizes(lambda h, w, s, t, x: [h, w, s, s, t, x])),
        (
            "the image is scaled by its *shorter* side; by the longer one, the square would reach beyond it.",
            sizes(lambda h, w, s, t, x: [h, w, *cut(h, w, s, s / max(h, w)), s, s]),
        ),
        *(
            (
                f"this is right for {right} images only: the shorter side is scaled to `side`, so divide by min(height, width).",
                sizes(lambda h, w, s, t, x, k=k, crop=crop: [h, w, *crop(h, w, s, s / (h, w)[k]), s, s]),
            )
            for k, right in enumerate(("wide", "tall"))
            for crop in (cut, cut_exactly)
        ),
        (
            "subtract the size of the square before halving: top and left are where it begins, not the image's centre.",
            sizes(lambda h, w, s, t, x: [h, w, *(n // 2 for n in scaled(h, w, s)), s, s]),
        ),
        (
            "these six numbers ask for an uncropped image, as in generating; here they must describe a training image.",
            sizes(lambda h, w, s, t, x: [s, s, 0, 0, s, s]),
        ),
    ),
    "this is what the model is told about an image in training.",
)


EXERCISES = [NO_ERROR, CLEAN_LATENT, NEW_PARAMETERS, TOLD_SIZES, FILE_SIZES, SAME_HASH, MAY_SELL]
