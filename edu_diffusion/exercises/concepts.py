"""The concept test: twelve multiple-choice items, answered before and after a route; each wrong option is a known misconception.

The items need no computer: `python3 -m edu_diffusion concepts --paper FILE` prints them. In a notebook, ConceptTest shows them.
"""

from typing import NamedTuple

from ..errors import EduError, said


class Item(NamedTuple):
    """One question. options: {letter: text}; right: the right letter; misconceptions: {wrong letter: what its chooser believes}."""

    text: str
    options: dict[str, str]
    right: str
    misconceptions: dict[str, str]


CONCEPTS = (
    Item(
        "Two people use the same model and the same seed, but different prompts. What do they have in common?",
        {
            "A": "The same image with small differences, since the seed is the image and the prompt only retouches it.",
            "B": "The same starting noise, and nothing else for certain.",
            "C": "Nothing; a seed has an effect only together with the same prompt.",
            "D": "The same composition, always, with other objects in it.",
        },
        "B",
        {"A": "the seed is the image", "C": "a seed does nothing on its own", "D": "the seed fixes the composition"},
    ),
    Item(
        'A model was trained without any image of a giraffe. What does a higher guidance scale do for the prompt "a giraffe"?',
        {
            "A": "It makes the model search longer, until it finds something like a giraffe.",
            "B": "It adds to the image what is missing from the text encoder's knowledge.",
            "C": "It exaggerates what the word already does.",
            "D": "It replaces the word by the nearest known animal.",
        },
        "C",
        {"A": "guidance searches", "B": "guidance adds knowledge", "D": "guidance corrects the prompt"},
    ),
    Item(
        "An image is generated with 20, 50 and 1000 sampling steps. What is to be expected?",
        {
            "A": "From some number on, hardly any change.",
            "B": "Every further step makes the image better, although less and less.",
            "C": "The image with 1000 steps has more pixels.",
            "D": "With 1000 steps the model has learned more about the prompt.",
        },
        "A",
        {"B": "more steps are always better", "C": "steps add resolution", "D": "sampling is training"},
    ),
    Item(
        "A model's file has 4 GB, its training images had 100 TB. Where are the training images?",
        {
            "A": "In the file, strongly compressed, in a form that only the decoder can read.",
            "B": "In the latent space, from which they are looked up.",
            "C": "On a server, from which parts are fetched and put together.",
            "D": "Nowhere; they only adjusted the weights.",
        },
        "D",
        {"A": "the model stores images", "B": "the latent space is a library", "C": "generation is a collage"},
    ),
    Item(
        "What does a LoRA change in the layers that it is attached to?",
        {
            "A": "It overwrites a few chosen weights by new ones.",
            "B": "It adds a low-rank matrix to each weight matrix.",
            "C": "It appends new layers at the end of the network and trains only these.",
            "D": "It changes the prompt before the text encoder reads it.",
        },
        "B",
        {"A": "LoRA edits a few weights", "C": "LoRA adds layers at the end", "D": "LoRA is a prompt trick"},
    ),
    Item(
        "What is compared in one training step of a diffusion model such as Stable Diffusion?",
        {
            "A": "A finished image, generated from its caption, with the training image.",
            "B": "A generated image with the prompt, by a second model.",
            "C": "The denoised image of this step with that of the step before.",
            "D": "Predicted and added noise, at one random timestep.",
        },
        "D",
        {"A": "training generates whole images", "B": "training judges by a critic", "C": "training walks through the timesteps"},
    ),
    Item(
        "What does the VAE's decoder do when an image is generated from text?",
        {
            "A": "It turns the final latent into pixels, once, at the end.",
            "B": "It removes the noise, step by step.",
            "C": "It reads the prompt and draws a first sketch.",
            "D": "It compares the image with the training images.",
        },
        "A",
        {"B": "the VAE denoises", "C": "the VAE draws from text", "D": "the VAE checks"},
    ),
    Item(
        "How does the prompt get into the image?",
        {
            "A": "It is written into the starting noise.",
            "B": "It chooses the training images that are mixed.",
            "C": "At every step the U-Net's features attend to the embeddings of its tokens.",
            "D": "It is compared with the finished image, which is redrawn until it fits.",
        },
        "C",
        {"A": "the prompt is mixed into the noise", "B": "generation is retrieval", "D": "generation is trial and error"},
    ),
    Item(
        "An edge map steers a model by a ControlNet. What happens to the weights of the base model?",
        {
            "A": "They are replaced by those of the ControlNet.",
            "B": "They stay as they are; the ControlNet adds its outputs to the U-Net's skip connections.",
            "C": "They are trained on the edge map for a moment.",
            "D": "The prompt's weights are switched off, since the edges replace the prompt.",
        },
        "B",
        {"A": "an adapter replaces the model", "C": "conditioning is training", "D": "the condition replaces the prompt"},
    ),
    Item(
        "What kind of noise is added to an image in the forward process, and why that one?",
        {
            "A": "Uniform noise, since every value must be equally likely.",
            "B": "Noise that looks like the image, so that it can be undone.",
            "C": "Gaussian noise: many small steps of it add up to one formula.",
            "D": "Compression noise, since JPEG images contain it anyway.",
        },
        "C",
        {"A": "noise is uniform", "B": "the noise hides the image like a code", "D": "noise is a file artefact"},
    ),
    Item(
        "The prompt leaves the background open. The training images of this object had a black background in 4 of 10 cases. With "
        "a high guidance scale, 9 of 10 generated images have one. Why?",
        {
            "A": "Guidance strengthens what goes with the word, beyond its share in the training images.",
            "B": "The model saw only black backgrounds.",
            "C": "Black is the default where nothing is said.",
            "D": "The seeds happened to be dark.",
        },
        "A",
        {"B": "the output shows the training data's shares", "C": "a model has defaults like a program", "D": "it was chance"},
    ),
    Item(
        "Somebody shows one very good image of a model. What do you know about the model now?",
        {
            "A": "That it is a good model.",
            "B": "That it is good for this kind of prompt.",
            "C": "That this image was in its training data.",
            "D": "That it can produce such an image; how often, only many images with seeds fixed in advance can say.",
        },
        "D",
        {"A": "one image is a proof", "B": "one image proves one kind", "C": "what is good must be copied"},
    ),
)


def read(answers: str) -> list[str]:
    """Return the letters of a test, "" for an item left out, from a text such as "ABCD..B-ACBD".

    Any sign that is no letter stands for an item left out; spaces are ignored. Raises EduError where there are not twelve
    entries, or a letter is not A to D.
    """
    entries = [sign.upper() for sign in answers if not sign.isspace()]
    letters = [sign if sign.isalpha() else "" for sign in entries]
    if len(entries) != len(CONCEPTS) or any(letter not in ("", "A", "B", "C", "D") for letter in letters):
        raise EduError(
            said("the concept test has {} answers, A to D, or - for one left out; this is {!r:.60}.", len(CONCEPTS), answers)
        )
    return letters


def score(answers: str) -> list[bool]:
    """Return for each item whether it was answered right."""
    return [letter == item.right for letter, item in zip(read(answers), CONCEPTS)]


def gain(before: str, after: str) -> list[int]:
    """Return for each item 1 (learned), 0 (unchanged) or -1 (lost), from the answers before and after."""
    return [int(b) - int(a) for a, b in zip(score(before), score(after))]


def believed(answers: str) -> dict[int, str]:
    """Return {number of the item, from 1: the misconception behind the wrong option that was chosen}."""
    pairs = enumerate(zip(read(answers), CONCEPTS), start=1)
    return {number: item.misconceptions[letter] for number, (letter, item) in pairs if letter in item.misconceptions}
