"""Questions of lesson 11: what a condition does, and what a ControlNet is made of."""

import torch

from ..steps import zero_conv
from .choices import Choice, Number
from .exercise import Exercise
from .gradients import tracked


def features():
    """Arguments (h, weight, bias); channels, height and width are equal, so that mistakes run without an error."""
    rng = torch.Generator().manual_seed(17)
    return [tuple(tracked(*(torch.randn(shape, generator=rng) for shape in ((2, 4, 4, 4), (4, 4, 1, 1), (4,))))) for _ in range(2)]


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


WHICH_LINES = Choice(  # the letters are those of the order in which the lesson shuffles the images
    "which_lines",
    "D",
    {
        "A": "it is round as well, but its outline is elsewhere than the line: faces are round without any condition. Compare the "
        "edge F1 of the four.",
        "B": "a good drawing is not the same as one that follows the line. Hold the circle against it: position and size do not "
        "fit, and its edge F1 is low.",
        "C": "this one is a face, but not along the line: compare where the outline runs at the top and at the sides. Its edge F1 "
        "shows it.",
        "D": "its outline is the circle that was drawn, wobbles included. The other three show the same prompt with size and place "
        "left to chance.",
    },
)

UNTRAINED = Choice(
    "untrained",
    "C",
    {
        "A": "random weights would do that, but a ControlNet starts as a copy of trained weights, and nothing that it computes is "
        "passed on yet.",
        "B": "the copy does compute features of the edges, but all of its outputs are multiplied by 0 before the U-Net gets them.",
        "C": "bit for bit. Every output passes a convolution whose weights are 0, so nothing is added to the U-Net.",
        "D": "following lines has to be learned first: the copy has learned to denoise, and was trained on no edges at all.",
    },
    prediction=True,
)

ZERO_GRADIENTS = Choice(
    "zero_gradients",
    "B",
    {
        "A": "that would hold for a product of two factors that are both 0. Here h is not 0, and the gradient of W is made of h.",
        "B": "the gradient of W is made of h, which is not 0; that of b needs neither. Only the gradient of h is made of W, and "
        "is 0. One step later W is no longer 0, and the copy learns as well.",
        "C": "it is the other way round: the gradient of h is made of W, which is 0. The gradient of W is made of h.",
        "D": "the gradient of h passes through W, and W is 0. So the copy itself learns nothing in the first step.",
    },
    prediction=True,
)

LOSS_TELLS = Choice(
    "loss_tells",
    "C",
    {
        "A": "look at the blue curve: it is near 0.14 at the beginning and near 0.15 at step 125. The overlap does not show in it.",
        "B": "the loss averages over all timesteps and all images, and most of it is noise that no shape could predict. It moves "
        "by less than 15 %.",
        "C": "the overlap goes from 0.47 to 0.84, and the loss stays between 0.14 and 0.16. Look at images, not only at the loss.",
        "D": "it rises by about a tenth at first, because the first changes disturb a trained network a little. It does not "
        "double.",
    },
    prediction=True,
)

ZERO_NUMBERS = Number(
    "zero_numbers",
    320 * 320 + 320,
    (
        ("these are the weights; there is a bias for each output channel as well.", 320 * 320),
        ("every output channel gets a weight for every input channel, not just one.", 320 + 320),
        ("this is a 3 x 3 convolution; a zero convolution is 1 x 1.", 9 * 320 * 320 + 320),
        ("this is a 3 x 3 convolution, and without its biases; a zero convolution is 1 x 1.", 9 * 320 * 320),
        ("the size of the feature map does not matter: the same matrix is used at every position.", 320 * 320 * 64 * 64),
        ("this counts a number for each channel at each position; the same matrix is used at every position.", 320 * 64 * 64),
        ("there is one bias for each output channel, not for each weight.", 2 * 320 * 320),
        ("one number for each channel is the bias; the weights are missing.", 320),
        ("a single bias is not enough: each output channel has its own.", 320 * 320 + 1),
    ),
    "320 · 320 weights and 320 biases are 102,720 numbers, all 0 at the start. The whole ControlNet of Stable Diffusion 1.5 has "
    "361 million, nearly all of them copied.",
    tolerance=1e-6,
)

EMPTY_PROMPT = Choice(
    "empty_prompt",
    "B",
    {
        "A": "the prompts name the thing, and with it much of its outline: without a condition these images are already nearer to "
        "the lines. So there is less left to gain.",
        "B": "without words the base can put anything anywhere, so the lines have more to add. With a prompt, a part of what they "
        "say is known already.",
        "C": "the results with the condition are nearly equal, but the starting points are not: without it, a prompt already gives "
        "a part of the lines.",
        "D": "a ControlNet gets the condition beside the prompt, not through it. Most captions in its training were cut or empty.",
    },
    prediction=True,
)

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
