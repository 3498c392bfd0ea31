"""Letters and numbers of lesson 13: what is taken over, what a hypernetwork changes, and its size."""

from .choices import Choice, Number

TAKEN_OVER = Choice(
    "taken_over",
    "B",
    {
        "A": "the number of right concepts hardly changes: the images still show what their own prompts name. Cross-attention to "
        "the text is not shared.",
        "B": "the backgrounds come nearer to the first one's, some by much and some not at all, and nearly all images still show "
        "what their prompts name.",
        "C": "look at the share of images in the first one's drawing style: it hardly changes. The shared attention carries what "
        "is large and plain, and in this data set that is the background.",
        "D": "the prompts do not change, but self-attention connects the images, and so the features of one reach the others.",
    },
    prediction=True,
)

FIRST_IMAGE = Choice(
    "first_image",
    "A",
    {
        "A": "bit for bit. It attends to itself only, as before; the others look at it, and it does not look at them.",
        "B": "that would need attention from the first image to the others. Keys and values are passed in one direction only.",
        "C": "nothing is averaged: the others get the keys and values of the first image beside their own, and not the other way "
        "round.",
        "D": "queries of the others read the first image's keys and values, but reading does not change them.",
    },
    prediction=True,
)

HYPER_EFFECT = Choice(
    "hyper_effect",
    "B",
    {
        "A": "the number of images in the style rises, but there was hardly anything to be gained for the concepts: the base gets "
        "nearly all of these right, and nothing in this training is about them.",
        "B": "the hypernetwork moves the text embedding towards what the model already knows as this style. What is drawn stays; "
        "the strength sets how far the embedding moves.",
        "C": "a change is not always damage: here the concepts stay at every strength. It depends on whether the model can draw "
        'already what it is to draw; see "Going further" for the other case.',
        "D": "the prompts name no style, and that is where a preference shows: where nothing is said, the most likely style is "
        "drawn, and the training has changed which one that is.",
    },
    prediction=True,
)

NEW_STYLE = Choice(
    "new_style",
    "D",
    {
        "A": "the counts say otherwise. What worked for a style that the model can draw does not work for one that it cannot.",
        "B": "most images are not in the new style, and they do not show what was asked either. A LoRA, which changes the layers "
        "that draw the lines, could learn this style in lesson 10.",
        "C": "the training does change something: compare the number of right concepts. The text embedding is pushed to where the "
        "model has never been.",
        "D": "a hypernetwork only changes what is read from the text. No text embedding stands for lines that the model has never "
        "drawn, so pushing it further only destroys its meaning.",
    },
    prediction=True,
)

HYPER_SIZE = Number(
    "hyper_size",
    2 * (768 * 1536 + 1536 + 1536 * 768 + 768),
    (
        ("this is one of the two networks: there is one for the keys and one for the values.", 2_361_600),
        ("these are the weights; each layer has a bias for each of its outputs as well.", 4 * 768 * 1536),
        ("these are the weights of one network; there are biases, and a second network.", 2 * 768 * 1536),
        ("this is the tiny one, with a width of 128; Stable Diffusion's text embedding has 768.", 131_840),
        ("each network has two layers: from 768 to 1,536, which is twice the width, and back.", 2 * (768 * 1536 + 1536)),
        ("these are the bytes in half precision, two for each number.", 2 * 2 * 2_361_600),
        ("it does not matter how many tokens a prompt has: the same networks are applied to each of them.", 77 * 2 * 2_361_600),
    ),
    "two networks of 2,361,600 numbers each. In half precision this is a file of 9.4 MB, beside 1.7 GB for the U-Net.",
    tolerance=1e-6,
)
