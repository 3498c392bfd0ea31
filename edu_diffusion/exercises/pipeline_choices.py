"""Letters and numbers of lesson 08: how many numbers a latent has, and what each part is needed for."""

from .choices import Choice, Number

NO_NOISE = Choice(
    "no_noise",
    "C",
    {
        "A": "to the U-Net zeros are not an empty image. In the first steps it goes by the prompt, whatever the latent is, and "
        "both images from zeros show what the prompt says.",
        "B": "the seed acts through the noise only, and zero times any noise is zero: the two images from zeros are equal in every "
        "number.",
        "C": "the prompt says what is drawn. The noise decides which of the many possible images it becomes, and brings the "
        "details: without noise all seeds give the same, smooth image.",
        "D": "it was indeed trained on noisy latents only. But what comes out is no mess: it shows what the prompt says, and is "
        "smoother than the images from noise.",
    },
    prediction=True,
)

ANY_ORDER = Choice(
    "any_order",
    "A",
    {
        "A": "neither of them needs the other's result; they meet in the U-Net. All the other pairs hand something on.",
        "B": "the text encoder reads token ids, and those come from the tokenizer.",
        "C": "guidance changes the prediction, and the step is made with the changed one. Afterwards it would be too late.",
        "D": "the decoder expects a latent on its own scale. Dividing pixels by a number only changes the contrast.",
    },
)

LATENT_NUMBERS = Number(
    "latent_numbers",
    4 * 96 * 64,
    (
        ("a latent has 4 channels.", 96 * 64),
        (
            "this is the number of values in the *image*, 768 x 512 x 3; the latent is 8 times smaller in each direction.",
            768 * 512 * 3,
        ),
        ("this is the number of pixels; the latent is 8 times smaller in each direction, with 4 channels.", 768 * 512),
        ("this is for 512 x 512; the image here is wider.", 4 * 64 * 64),
        (
            "factor 8 holds in each direction, so a latent has 64 times fewer positions than the image has pixels.",
            4 * 768 * 512 // 8,
        ),
        ("factor 4 belongs to the small model of this course; Stable Diffusion 1.5 has 8.", 4 * 192 * 128),
        ("an image has 3 channels, a latent has 4.", 3 * 96 * 64),
        ("these are pixels divided by 64 and by the channels; a latent has 4 numbers at each position.", 96 * 64 // 4),
    ),
    "4 · 96 · 64: 48 times fewer numbers than the image has, which is why the loop runs on latents.",
)
