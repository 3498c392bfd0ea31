"""Questions of lesson 11: what a condition does, and what a ControlNet is made of."""

import functools

import torch

from ..steps import zero_conv
from .control_choices import EMPTY_PROMPT, LOSS_TELLS, UNTRAINED, WHICH_LINES, ZERO_GRADIENTS, ZERO_NUMBERS
from .exercise import Exercise
from .gradients import tracked


def features():
    """Arguments (h, weight, bias); channels and height are equal, so that mistakes run; another width tells reshape from them."""
    rng = torch.Generator().manual_seed(17)
    sizes = [((2, 4, 4, width), (4, 4, 1, 1), (4,)) for width in (4, 5)]
    return [tuple(tracked(*(torch.randn(shape, generator=rng) for shape in shapes))) for shapes in sizes]


def matrix(weight):
    return weight[:, :, 0, 0]


def copies():
    """Arguments (blocks, convs, h): three blocks and four, whose zero convolutions have been trained a little."""
    rng = torch.Generator().manual_seed(31)
    return [(layers(n, 1.0, rng), layers(n, 0.5, rng), torch.randn(2, 3, 4, 4, generator=rng)) for n in (3, 4)]


def layers(n, scale, rng):
    """n functions that mix the 3 channels, each with another matrix and bias, and keep the shape."""
    parts = [(scale * torch.randn(3, 3, 1, 1, generator=rng), scale * torch.randn(3, generator=rng)) for _ in range(n)]
    return [lambda h, weight=weight, bias=bias: torch.tanh(zero_conv(h, weight, bias)) for weight, bias in parts]


def residuals(blocks, convs, h):
    """What a ControlNet hands over: after each block its features, through the zero convolution of that place."""
    found = []
    for block, conv in zip(blocks, convs):
        h = block(h)
        found.append(conv(h))
    return torch.stack(found)


def collected(blocks, convs, h, give, go=lambda h, after, out: after):
    """Like `residuals`, with give(h, after, conv) handed over, and go(h, after, what was handed over) the next block's input."""
    found = []
    for block, conv in zip(blocks, convs):
        after = block(h)
        found.append(give(h, after, conv))
        h = go(h, after, found[-1])
    return torch.stack(found)


def pairs():
    """Arguments (left, right): residuals of two sizes, higher or wider, so that mistakes in the dimension differ."""
    rng = torch.Generator().manual_seed(41)
    return [tuple(torch.randn(2, 2, 3, *size, generator=rng)) for size in ((4, 6), (8, 8))]


def halves(left, right):
    half = left.shape[-1] // 2
    return torch.cat([left[..., :half], right[..., half:]], dim=-1)


def rows(left, right, half):
    return torch.cat([left[..., :half, :], right[..., half:, :]], dim=-2)


EXERCISES = [
    WHICH_LINES,
    UNTRAINED,
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
                "the matrix mixes columns of the image; it must mix channels, the same at every position.",
                lambda h, weight, bias: torch.einsum("oc,bihc->biho", matrix(weight), h) + bias[:, None, None],
            ),
            (
                "the matrix mixes rows of the image; it must mix channels, the same at every position.",
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
            (
                "reshape does not move the channels to the end; it cuts the numbers in their old order. Use permute, both ways.",
                lambda h, weight, bias: (h.reshape(len(h), -1, h.shape[1]) @ matrix(weight).T + bias).reshape(h.shape),
            ),
            (
                "the bias is multiplied; it must be added.",
                lambda h, weight, bias: zero_conv(h, weight, 0 * bias) * bias[:, None, None],
            ),
            (
                "the bias is added once for each input channel; add it once, after the sum.",
                lambda h, weight, bias: zero_conv(h, weight, h.shape[1] * bias),
            ),
            (
                "only the last input channel is left: add up what all of them contribute, in a loop with +=.",
                lambda h, weight, bias: h[:, -1:] * weight[:, -1] + bias[:, None, None],
            ),
            (
                "the matrix is applied to the last dimension, the width; it belongs to the channels, dimension 1: permute "
                "before and after, or use einsum.",
                lambda h, weight, bias: h @ matrix(weight).T + bias,
            ),
            (
                "the channels are still last; move them back to dimension 1 with permute(0, 3, 1, 2).",
                lambda h, weight, bias: h.permute(0, 2, 3, 1) @ matrix(weight).T + bias,
            ),
        ),
        "as long as the weights and biases of its zero convolutions are 0, a whole ControlNet changes nothing.",
    ),
    ZERO_GRADIENTS,
    Exercise(
        "residuals",
        residuals,
        copies,
        (
            (
                "the next block still gets what left the zero convolution. While that is 0, what does the second block see of the "
                "image?",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: f(x), lambda h, x, out: out),
            ),
            (
                "the zero convolution gets the features before the block has worked on them.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: f(h)),
            ),
            (
                "every block gets the first h; each must go on from the features of the block before it.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: f(x), lambda h, x, out: h),
            ),
            (
                "the zero convolutions are missing, so an untrained copy would disturb the U-Net at once.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: x),
            ),
            (
                "the features themselves are added to what the zero convolution returns, so an untrained copy changes the U-Net.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: x + f(x)),
            ),
            (
                "each zero convolution's output is added to the input of the next block; the blocks must go on with their own "
                "features alone.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: f(x), lambda h, x, out: x + out),
            ),
            (
                "the same zero convolution is used at every place; each place must use its own.",
                lambda blocks, convs, h: residuals(blocks, convs[:1] * len(blocks), h),
            ),
            ("the residuals are in reverse order.", lambda blocks, convs, h: residuals(blocks, convs, h).flip(0)),
            (
                "the zero convolutions are in reverse order; the first belongs to the first block.",
                lambda blocks, convs, h: residuals(blocks, convs[::-1], h),
            ),
            (
                "the residuals are added up on the way; each place must get only its own.",
                lambda blocks, convs, h: residuals(blocks, convs, h).cumsum(0),
            ),
            (
                "a block's result is added to h here; it must replace h, since the blocks have residual connections of their own.",
                lambda blocks, convs, h: residuals([lambda h, f=f: h + f(h) for f in blocks], convs, h),
            ),
            (
                "the order is reversed: first the block, then its zero convolution.",
                lambda blocks, convs, h: collected(convs, blocks, h, lambda h, x, f: f(x), lambda h, x, out: out),
            ),
            (
                "every block works twice; call it once, and give its result to the zero convolution and to the next block.",
                lambda blocks, convs, h: residuals(blocks, [lambda h, f=f, g=g: g(f(h)) for f, g in zip(blocks, convs)], h),
            ),
            (
                "h is added to what is handed over; hand over the zero convolution's output alone, and give the next block the "
                "features.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: h + f(x), lambda h, x, out: out),
            ),
            (
                "the next block gets h with the zero convolution's output added to it; give it this block's own features.",
                lambda blocks, convs, h: collected(blocks, convs, h, lambda h, x, f: f(x), lambda h, x, out: h + out),
            ),
            (
                "every zero convolution gets the features of the last block; each must get those of its own block, in the same "
                "loop.",
                lambda blocks, convs, h: torch.stack([conv(functools.reduce(lambda h, f: f(h), blocks, h)) for conv in convs]),
            ),
        ),
        "the copy goes on with its own features, and every zero convolution can learn from the first step on.",
    ),
    LOSS_TELLS,
    ZERO_NUMBERS,
    EMPTY_PROMPT,
    Exercise(
        "halves",
        halves,
        pairs,
        (
            ("left and right are exchanged.", lambda left, right: halves(right, left)),
            (
                "these are the upper and the lower half; columns are the last dimension.",
                lambda left, right: rows(left, right, left.shape[-2] // 2),
            ),
            (
                "this cuts the channels; the shape is (B, channels, rows, columns), and columns are the last dimension.",
                lambda left, right: torch.cat([left[:, : left.shape[1] // 2], right[:, left.shape[1] // 2 :]], dim=1),
            ),
            (
                "the middle is the wrong number: half of the columns, whatever the resolution is; here it is half of the rows.",
                lambda left, right: torch.cat([left[..., : left.shape[-2] // 2], right[..., left.shape[-2] // 2 :]], dim=-1),
            ),
            ("this is the mean of both everywhere; each half must come from one of them.", lambda left, right: (left + right) / 2),
            ("both are added everywhere; each half must come from one of them.", lambda left, right: left + right),
            (
                "the left half is right, and the other half is 0; take it from the second ControlNet.",
                lambda left, right: halves(left, 0 * right),
            ),
            (
                "the right half is right, and the other half is 0; take it from the first ControlNet.",
                lambda left, right: halves(0 * left, right),
            ),
            (
                "the right half shows the first columns of the second residual; positions must stay where they are.",
                lambda left, right: torch.cat([left[..., : left.shape[-1] // 2], right[..., : left.shape[-1] // 2]], dim=-1),
            ),
            (
                "every second column is taken; the left half is all columns up to the middle.",
                lambda left, right: torch.stack([left[..., ::2], right[..., 1::2]], -1).flatten(-2),
            ),
            (
                "each residual is squeezed into its half; cut both in the middle, so that positions stay where they are.",
                lambda left, right: torch.cat([left[..., ::2], right[..., ::2]], dim=-1),
            ),
            (
                "this is the right half of the first residual beside the left half of the second: of each, take the other half.",
                lambda left, right: torch.cat([left[..., left.shape[-1] // 2 :], right[..., : left.shape[-1] // 2]], dim=-1),
            ),
            (
                "the result is left itself: is the middle a fixed number, such as 32? It is half of the columns, whatever the "
                "resolution is.",
                lambda left, right: left,
            ),
        ),
        "residuals have places, so what is done to a part of them is done to a part of the image.",
    ),
]
