"""Letters and numbers of lesson 09: how much img2img keeps, and what a mask can mark."""

from .choices import Choice, Number

STRENGTH_KEEPS = Choice(
    "strength_keeps",
    "C",
    {
        "A": "that is the column for 0.2, where the tomato is only a little rougher. At 0.4 it is gone.",
        "B": "the column for 0.4 has hardly any red left. What is fine, such as the pattern and the colour of the object, is "
        "decided late in the denoising, and these steps were run again with the new prompt.",
        "C": "place, size and background are large and plain; they survive a good deal of noise. The pattern is fine and does not. "
        "From 0.8 on place and size go as well, and the background last.",
        "D": "that happens at 0.8 and above. At 0.4 all balls are where the tomato was, and the background is still green.",
    },
    prediction=True,
)

PIXELS_OUTSIDE = Choice(
    "pixels_outside",
    "B",
    {
        "A": "the latent outside the mask is the old one, exactly. But the image is decoded from it, and the VAE loses a little "
        "on the way.",
        "B": "the VAE's reconstruction is not exact, so every pixel is a little different. That is why the old pixels are pasted "
        "back at the very end.",
        "C": "the latent outside is put back at every step, so nothing new can appear there. What the decoder changes is much "
        "less.",
        "D": "pixels far away from the mask differ as well: decoding and encoding change all of them.",
    },
    prediction=True,
)

WHICH_INPAINTED = Choice(  # the letters are those of the order in which the lesson shuffles the images
    "which_inpainted",
    "A",
    {
        "A": "everything outside the box is the old image, and the background inside is blue as well, although the prompt does not "
        "say so. The network saw the surroundings at every step.",
        "B": "here the mask is inverted: the cat is still there, and everything around it is new.",
        "C": "look at the edges of the box: a new image was generated without regard to the old one, and the box was cut out of "
        "it.",
        "D": "what is outside the box is no longer that of the original: this is img2img, which changes the whole image.",
    },
)

STEPS_RUN = Number(
    "steps_run",
    7 / 20,
    (
        ("this is the number of steps; the strength is a fraction, from 0 to 1.", 7),
        ("this is in percent; the strength is a fraction, from 0 to 1.", 35),
        ("this share of the steps is left out, because the image is clean enough for what comes after them.", 13 / 20),
        ("with this strength 8 of the 20 steps are run.", 0.4),
        ("with this strength only 6 of the 20 steps are run.", 0.3),
        (
            "here 7 steps are run as well, but a smaller strength does it, too: what is rounded down need not be rounded at all.",
            0.39,
        ),
        ("the fraction is upside down: the strength is the share of the steps that is run.", 20 / 7),
    ),
    "7 / 20. Below 0.4 the number stays 7, since it is rounded down. A weak change also takes less time.",
    tolerance=1e-6,
)

THINNEST_STROKE = Number(
    "thinnest_stroke",
    8,
    (
        ("this is our tiny model's factor; that of Stable Diffusion 1.5 is 8.", 4),
        ("a stroke of one pixel is missed unless it happens to hit the first column of a cell.", 1),
        ("there are two columns of cells here that a stroke could lie between; how far apart are their first pixels?", 7),
        ("one pixel less is enough: among any 8 neighbouring columns one is the first of a cell.", 9),
        ("this always covers a whole cell, but the library looks at only one pixel of each cell.", 15),
        ("twice the width of a cell would mark two columns; one is enough.", 16),
        ("this is the width of the latent.", 64),
    ),
    "8 pixels. Thinner strokes may fall between the pixels that are looked at, and then they mark nothing.",
    tolerance=1e-6,
)
