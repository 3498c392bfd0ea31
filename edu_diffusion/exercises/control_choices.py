"""Letters and numbers of lesson 11: what a condition does, and how many numbers a zero convolution has."""

from .choices import Choice, Number

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
