"""Letters of lesson 18: sizes, files, hashes and licences of published models."""

from .choices import Choice

NO_ERROR = Choice(
    "no_error",
    "C",
    {
        "A": "no error: the shapes all fit, and a wrong number is a number like any other. Such a fault is hard to find.",
        "B": "the loop takes v for noise at every step, and the errors add up: glaring colours, and speckles everywhere.",
        "C": "the shapes all fit, so nothing is reported. The image is glaring and full of speckles, and yet one can guess "
        "at the cat: v contains the noise, too, so the direction is partly right.",
        "D": "the prompt still reaches the U-Net, and the two ears can be seen; but v is taken for noise at every step.",
    },
    prediction=True,
)

NEW_PARAMETERS = Choice(
    "new_parameters",
    "B",
    {
        "A": "the finest level has fewer parameters than in 1.5: it has no attention any more. More pixels cost time, but no "
        "parameters, since a convolution uses the same weights everywhere.",
        "B": "ten transformer layers stand in each block of the coarsest level, where 1.5 has one; there are few positions, so "
        "these layers are cheap to evaluate for what they hold.",
        "C": "that layer has 5 million parameters: many for one layer, and next to nothing of 1.7 billion.",
        "D": "the convolutions have even fewer parameters than in 1.5, since one level is left out; nearly all that is new is "
        "attention at the coarsest level.",
    },
    prediction=True,
)

FILE_SIZES = Choice(
    "file_sizes",
    "B",
    {
        "A": "a file for text to image needs the VAE, and the VAE has 84 million parameters, only 2 % of all.",
        "B": "4.27 GB are four bytes for each parameter of SD 1.5, and 6.94 GB two for each of SDXL: float32 and float16.",
        "C": "weights look like random numbers and can hardly be compressed without loss; and a .safetensors file is not "
        "compressed at all.",
        "D": "SDXL's own pipeline has a text encoder more, so its file has to hold more of them, not fewer.",
    },
)

SAME_HASH = Choice(
    "same_hash",
    "D",
    {
        "A": "a hash says nothing about what is in a file: a harmful file has a hash, too. Formats that hold no code protect "
        "you, such as .safetensors.",
        "B": "the hash depends on the bytes alone; whoever uploaded the file, the page shows the hash of what was uploaded.",
        "C": "the same numbers in another precision or another order are other bytes, so the hash differs; and a matching hash "
        "does not measure quality.",
        "D": "byte for byte the same file. Whether to trust the page that shows the hash, you must judge yourself.",
    },
)

MAY_SELL = Choice(
    "may_sell",
    "C",
    {
        "A": "what can be downloaded is not free for every use. The licence decides, and this card names one that nobody can "
        "judge by its name.",
        "B": "SDXL's licence asks that its restrictions are passed on, and lets the author of a fine-tuned model add others. "
        "The card at hand counts.",
        "C": "`other` means that the terms stand behind the link: read them, and ask the author where they are not clear. "
        '"Intended use: research" is a warning.',
        "D": "an empty list means that nobody said what the model was trained on. It proves nothing about the images.",
    },
)
