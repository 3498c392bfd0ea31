"""Exercise of lesson 11: the zero convolution."""

import torch

from ..steps import zero_conv
from .exercise import Exercise
from .gradients import tracked


def features():
    """Arguments (h, weight, bias); channels, height and width are equal, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(17)
    return [tuple(tracked(*(torch.randn(shape, generator=rng) for shape in ((2, 4, 4, 4), (4, 4, 1, 1), (4,))))) for _ in range(2)]


def matrix(weight):
    return weight[:, :, 0, 0]


EXERCISES = [
    Exercise(
        "zero_conv",
        zero_conv,
        features,
        (
            (
                "the bias is missing: one number for each output channel.",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h),
            ),
            (
                "the matrix is transposed: weight[o, c] says how much of channel c goes into channel o.",
                lambda h, weight, bias: torch.einsum("co,bchw->bohw", matrix(weight), h) + bias[:, None, None],
            ),
            (
                "the bias is added along the width; give it the shape (channels, 1, 1), as in bias[:, None, None].",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias,
            ),
            (
                "the bias is added along the height; give it the shape (channels, 1, 1), as in bias[:, None, None].",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias[:, None],
            ),
            (
                "h itself is still included; the U-Net already has h, so return only the residual to be added.",
                lambda h, weight, bias: h + torch.einsum("oc,bchw->bohw", matrix(weight), h) + bias[:, None, None],
            ),
            (
                "the matrix mixes columns of the picture; it must mix channels, the same at every position.",
                lambda h, weight, bias: torch.einsum("oc,bihc->biho", matrix(weight), h) + bias[:, None, None],
            ),
            (
                "the matrix mixes rows of the picture; it must mix channels, the same at every position.",
                lambda h, weight, bias: torch.einsum("oc,bicw->biow", matrix(weight), h) + bias[:, None, None],
            ),
            (
                "this is a mean over the channels; add them up instead, each with its weight.",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) / 4 + bias[:, None, None],
            ),
            (
                "only the diagonal of the matrix is used; every channel can contribute to every other.",
                lambda h, weight, bias: h * matrix(weight).diagonal()[:, None, None] + bias[:, None, None],
            ),
            (
                "the bias is mixed as well; add it after the matrix product.",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h + bias[:, None, None]),
            ),
            (
                "the bias is subtracted; it must be added.",
                lambda h, weight, bias: torch.einsum("oc,bchw->bohw", matrix(weight), h) - bias[:, None, None],
            ),
            ("this is always 0; it must be 0 only as long as weight and bias are.", lambda h, weight, bias: 0 * h),
        ),
        "as long as its weights are 0, a whole ControlNet changes nothing.",
    )
]
