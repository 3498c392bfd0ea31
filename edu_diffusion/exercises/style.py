"""Questions of lesson 13: a shared style in a batch, and a hypernetwork."""

import torch

from ..steps import adain
from .exercise import Exercise
from .style_choices import FIRST_IMAGE, HYPER_EFFECT, HYPER_SIZE, NEW_STYLE, TAKEN_OVER


def features():
    """Arguments (x, reference): tokens of two pictures, as many as they are wide, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(21)
    x, reference = torch.randn(2, 2, 6, 6, generator=rng)
    return [(x * 40 + 20, reference * 20 - 30), (reference * 30, x * 10 + 40)]  # so large that eps makes no difference


def more_tokens():
    """The same with a reference of more tokens."""
    x, reference = torch.randn(2, 2, 9, 6, generator=torch.Generator().manual_seed(22))
    return [(x[:, :6] * 40 + 20, reference * 20 - 30)]


def stats(x, dim=1):
    return (x.var(dim, correction=0, keepdim=True) + 1e-5).sqrt(), x.mean(dim, keepdim=True)


def mixed(x, reference, dim=1):
    (s, m), (t, n) = stats(x, dim), stats(reference, dim)
    return t * (x - m) / s + n


def step(x, reference, f):
    return f(x, *stats(x), *stats(reference))


def tokens():
    """Arguments (q, k, v): as many pictures as tokens as channels, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(51)
    return [tuple(torch.randn(3, n, n, n, generator=rng)) for n in (3, 4)]


def attention(q, k, v):
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(-1)
    return weights @ v


def shared_attention(q, k, v):
    """Every picture attends to the first one and to itself."""
    return attention(q, joined(k), joined(v))


def joined(x, dim=1):
    return torch.cat([x[:1].expand_as(x), x], dim)


def photos():
    """Arguments (x, reference): images with another mean and contrast in each channel; square, so that mistakes run."""
    rng = torch.Generator().manual_seed(61)
    scale, shift = torch.tensor([20.0, 40.0, 60.0])[:, None, None], torch.tensor([9.0, -30.0, 50.0])[:, None, None]
    x, y, z = (scale * torch.randn(2, 3, 6, 6, generator=rng) + shift for _ in range(3))
    return [(x, y.flip(1)), (z, x.flip(1) / 2)]


def two_sizes():
    """The same for two sizes. The reference varies so little that it makes no difference whether its variance has a correction."""
    rng = torch.Generator().manual_seed(62)
    mean = torch.tensor([900.0, -3000.0, 5000.0])[:, None, None]
    return [(30 * torch.randn(2, 3, 6, 6, generator=rng), mean + 10 * torch.randn(2, 3, 8, 5, generator=rng))]


def recolour(x, reference):
    return mixed(x, reference, (2, 3))


def over_positions(x, reference, f):
    return f(x, *stats(x, (2, 3)), *stats(reference, (2, 3)))


EXERCISES = [
    Exercise(
        "adain",
        adain,
        features,
        (
            (
                "x and reference are swapped: x keeps its pattern, and takes the mean and standard deviation of the reference.",
                lambda x, reference: mixed(reference, x),
            ),
            (
                "this is x with mean 0 and standard deviation 1; now it has to get the reference's standard deviation and mean.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s),
            ),
            (
                "the standard deviation is right, and the mean is 0; it must be the reference's.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m) / s),
            ),
            (
                "the mean is right, and the standard deviation is 1; it must be the reference's.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - m) / s + n),
            ),
            (
                "only the mean is changed; the result still has the standard deviation of x.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: x - m + n),
            ),
            (
                "the mean of x is still in it: subtract it before you divide by its standard deviation.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * x / s + n),
            ),
            (
                "the two standard deviations are the wrong way round.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: s * (x - m) / t + n),
            ),
            (
                "the reference's mean is multiplied as well; add it after you have multiplied.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * ((x - m) / s + n)),
            ),
            (
                "take mean and standard deviation over the tokens, dimension 1, for each channel separately.",
                lambda x, reference: mixed(x, reference, 2),
            ),
            (
                "take mean and standard deviation for each image and each channel separately, not over all channels.",
                lambda x, reference: mixed(x, reference, (1, 2)),
            ),
            (
                "mean and standard deviation are taken over the images; each image has its own, over its tokens: dimension 1.",
                lambda x, reference: mixed(x, reference, 0),
            ),
            (
                "mean and standard deviation are taken over tokens and images together; use dimension 1 only.",
                lambda x, reference: mixed(x, reference, (0, 1)),
            ),
            (
                "the standard deviation is the square root of the variance.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t**2 * (x - m) / s**2 + n),
            ),
            (
                "mean and standard deviation are taken over the whole tensor; each image and each channel has its own: use "
                "dimension 1.",
                lambda x, reference: mixed(x, reference, (0, 1, 2)),
            ),
            (
                "brackets are missing: write (x - mean) / std, not x - mean / std.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m / s) + n),
            ),
            (
                "brackets are missing: the mean of x is subtracted before x is divided and multiplied.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: x - m / s * t + n),
            ),
            (
                "x is not standardised yet: subtract its mean and divide by its standard deviation first.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * x + n),
            ),
            (
                "x is standardised with the reference's statistics; use its own, then give it those of the reference.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: (x - n) / t),
            ),
            (
                "the reference's mean and standard deviation are exchanged: multiply by the standard deviation, then add the mean.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: n * (x - m) / s + t),
            ),
            (
                "subtracting and dividing takes statistics away; to give x those of the reference, multiply and add.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: ((x - m) / s - n) / t),
            ),
            (
                "the standard deviation is right, but the mean is still that of x; it must be the reference's.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m) / s + m),
            ),
            (
                "a square root is missing: multiply by the reference's standard deviation, not by its variance.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t**2 * (x - m) / s + n),
            ),
            (
                "a square root is missing: divide by the standard deviation of x, not by its variance.",
                lambda x, reference: step(x, reference, lambda x, s, m, t, n: t * (x - m) / s**2 + n),
            ),
        ),
        "x now has the statistics of the reference and keeps its own pattern.",
        finer=more_tokens,
        note="Yours does not work yet where x and reference have different numbers of tokens; each needs statistics of its own.",
    ),
    Exercise(
        "shared_attention",
        shared_attention,
        tokens,
        (
            ("this is ordinary self-attention: no image sees the first one yet.", attention),
            (
                "every image sees only the first one now; its own keys and values must stay, beside those of the first.",
                lambda q, k, v: attention(q, k[:1].expand_as(k), v[:1].expand_as(v)),
            ),
            (
                "the keys and values of the first image are added to the others; they must stand beside them, as further tokens.",
                lambda q, k, v: attention(q, k + k[:1], v + v[:1]),
            ),
            (
                "keys and values are in a different order, so a key of the first image belongs to a value of another one.",
                lambda q, k, v: attention(q, joined(k), torch.cat([v, v[:1].expand_as(v)], 1)),
            ),
            (
                "the first image's keys are paired with each image's own values here; join the first image's values as well.",
                lambda q, k, v: attention(q, joined(k), torch.cat([v, v], 1)),
            ),
            (
                "each image's own keys are paired with the first image's values here; join the first image's keys as well.",
                lambda q, k, v: attention(q, torch.cat([k, k], 1), joined(v)),
            ),
            (
                "each image sees the one before it in place of the first one.",
                lambda q, k, v: attention(q, torch.cat([k.roll(1, 0), k], 1), torch.cat([v.roll(1, 0), v], 1)),
            ),
            (
                "every image sees the last one; index 0 is the first.",
                lambda q, k, v: attention(q, torch.cat([k[-1:].expand_as(k), k], 1), torch.cat([v[-1:].expand_as(v), v], 1)),
            ),
            (
                "every image sees all of the others; only the first one is to be shared.",
                lambda q, k, v: attention(q, k.flatten(0, 1).expand(len(k), -1, -1), v.flatten(0, 1).expand(len(v), -1, -1)),
            ),
            (
                "the queries of the first image are used for all; each image must keep its own queries.",
                lambda q, k, v: shared_attention(q[:1].expand_as(q), k, v),
            ),
            (
                "this is the mean of two separate attentions; the softmax must compare all keys with each other.",
                lambda q, k, v: (attention(q, k, v) + attention(q, k[:1].expand_as(k), v[:1].expand_as(v))) / 2,
            ),
            (
                "the keys are joined along the images, dimension 0; join keys and values along the tokens, dimension 1.",
                lambda q, k, v: attention(q, joined(k, 0), joined(v, 0)),
            ),
            (
                "only the values are joined, or both along the channels; join keys and values along the tokens, dimension 1.",
                lambda q, k, v: attention(q, joined(k, 2), joined(v, 2)),
            ),
            (
                "the keys have the first image's tokens and the values do not; join both.",
                lambda q, k, v: attention(q, joined(k), v),
            ),
            (
                "the keys and values of the first image are averaged with the others; they must stand beside them, as further "
                "tokens.",
                lambda q, k, v: attention(q, (k + k[:1]) / 2, (v + v[:1]) / 2),
            ),
            (
                "this repeats the first token of each image; the first image is k[:1].",
                lambda q, k, v: attention(q, *(torch.cat([x, x[:, :1].expand_as(x)], 1) for x in (k, v))),
            ),
            (
                "each image's keys are replaced by those of the first one; keep them, and join those of the first to them, as "
                "with the values.",
                lambda q, k, v: attention(q, k[:1].expand_as(k), v),
            ),
            (
                "the first image's keys are joined to the values; join its keys to the keys, and its values to the values.",
                lambda q, k, v: attention(q, joined(k), torch.cat([k[:1].expand_as(k), v], 1)),
            ),
        ),
        "each image now chooses, token by token, whether to look at itself or at the first one.",
    ),
    TAKEN_OVER,
    FIRST_IMAGE,
    HYPER_EFFECT,
    HYPER_SIZE,
    NEW_STYLE,
    Exercise(
        "recolour",
        recolour,
        photos,
        (
            (
                "mean and standard deviation are taken over the rows only, for each column; they must be over all positions.",
                lambda x, reference: mixed(x, reference, 2),
            ),
            (
                "mean and standard deviation are taken over the columns only, for each row; they must be over all positions.",
                lambda x, reference: mixed(x, reference, 3),
            ),
            (
                "mean and standard deviation are taken over all channels together; a colour is what the channels differ in.",
                lambda x, reference: mixed(x, reference, (1, 2, 3)),
            ),
            (
                "this mixes the channels with each other: dimension 1 holds the channels here, and not the positions.",
                lambda x, reference: mixed(x, reference, 1),
            ),
            (
                "mean and standard deviation are taken over all images of the batch; each image has its own.",
                lambda x, reference: mixed(x, reference, (0, 2, 3)),
            ),
            (
                "only the mean colour is moved; the contrast of each channel must change, too.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: x - m + n),
            ),
            (
                "only the contrast is changed; the mean colour must be the reference's.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: t * (x - m) / s + m),
            ),
            (
                "the colours are only standardised; they have to become those of the reference.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: (x - m) / s),
            ),
            (
                "the variances are used where the standard deviations should be.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: t**2 * (x - m) / s**2 + n),
            ),
            (
                "the two standard deviations are the wrong way round.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: s * (x - m) / t + n),
            ),
            ("x and reference are swapped: x keeps its lines.", lambda x, reference: recolour(reference, x)),
            (
                "reshape does not move the channels to the end; it cuts the numbers in their old order. Use permute, both ways.",
                lambda x, reference: mixed(*(y.reshape(len(y), -1, y.shape[1]) for y in (x, reference))).reshape(x.shape),
            ),
            (
                "brackets are missing: write (x - mean) / std, not x - mean / std.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: t * (x - m / s) + n),
            ),
            (
                "x is not standardised yet: subtract its mean and divide by its standard deviation first.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: t * x + n),
            ),
            (
                "the mean of x is still in it: subtract it before you divide by its standard deviation.",
                lambda x, reference: over_positions(x, reference, lambda x, s, m, t, n: t * x / s + n),
            ),
            (
                "the result is clamped; leave it as it is, also below -1 and above 1.",
                lambda x, reference: recolour(x, reference).clamp(-1, 1),
            ),
            (
                "dimensions 1 and 2 are channels and rows; the positions are dimensions 2 and 3, since dimension 0 holds the "
                "images.",
                lambda x, reference: mixed(x, reference, (1, 2)),
            ),
            (
                "this is one mean and one standard deviation for everything; each channel of each image has its own: use "
                "dimensions (2, 3) and keepdim=True.",
                lambda x, reference: mixed(x, reference, (0, 1, 2, 3)),
            ),
        ),
        "the image keeps its lines and has the reference's colours: AdaIN on pixels.",
        finer=two_sizes,
        note="Yours does not work yet for two images of different sizes; each of them needs statistics of its own.",
    ),
]
