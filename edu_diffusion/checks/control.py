"""Exercise of lesson 11: the convolution that is zero at first."""

import torch

from ..steps import zero_conv
from .exercise import Exercise


def features():
    """Arguments (h, weight, bias); as many channels as the maps are high and wide: careless code runs."""
    rng = torch.Generator().manual_seed(17)
    return [(torch.randn(2, 4, 4, 4, generator=rng), torch.randn(4, 4, 1, 1, generator=rng),
             torch.randn(4, generator=rng)) for _ in range(2)]


def matrix(weight):
    return weight[:, :, 0, 0]


EXERCISES = [Exercise(
    "zero_conv", zero_conv, features, (
        ("the bias is missing: one number for each channel that comes out.",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h)),
        ("the matrix is turned over: weight[o, c] says how much of channel c goes into channel o.",
         lambda h, weight, bias: torch.einsum("co,bchw->bohw", matrix(weight), h) + bias[:, None, None]),
        ("the bias lies along the width; give it the shape (channels, 1, 1), as in bias[:, None, None].",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias),
        ("the bias lies along the height; give it the shape (channels, 1, 1), as in bias[:, None, None].",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias[:, None]),
        ("h itself is still in it; the U-Net has h already, and only what is to be added is wanted.",
         lambda h, weight, bias: h + torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias[:, None, None]),
        ("the matrix mixes columns of the picture; it must mix channels, the same at every position.",
         lambda h, weight, bias: torch.einsum("oc,bihc->biho", matrix(weight), h) + bias[:, None, None]),
        ("the matrix mixes rows of the picture; it must mix channels, the same at every position.",
         lambda h, weight, bias: torch.einsum("oc,bicw->biow", matrix(weight), h) + bias[:, None, None]),
        ("this is the mean over the channels; they are added up, each with its weight.",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) / 4 + bias[:, None, None]),
        ("only the diagonal of the matrix is used; every channel may go into every other.",
         lambda h, weight, bias: h * matrix(weight).diagonal()[:, None, None] + bias[:, None, None]),
        ("the bias is mixed as well; add it after the matrix.",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h + bias[:, None, None])),
        ("the bias is taken away; it is added.",
         lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) - bias[:, None, None]),
        ("this is always 0; it is 0 only as long as weight and bias are.",
         lambda h, weight, bias: 0 * h),
    ),
    "as long as its numbers are 0, it keeps a whole network silent.")]
