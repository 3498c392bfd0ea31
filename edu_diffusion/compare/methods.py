"""Fine-tuning methods: how each is trained, and how its result, a folder, is applied to a pipeline.

    with METHODS["LoRA"].use(pipe, folder) as tuned:        # two folders: both combined
        ...                                                 # tuned is a pipeline; pipe itself is left unchanged

All learn the same two things: a drawing style (data/newstyle.py) and a subject (data/subject.py).
"""

import contextlib
import copy
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from edu_diffusion.data import words
from edu_diffusion.errors import EduError

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionPipeline


class Method(NamedTuple):
    """A fine-tuning method. style, subject: recipe's name and settings. word, name: what prompts call the style and subject."""

    style: tuple
    subject: tuple
    use: Callable  # (pipe, *folders): a context manager that yields a pipeline
    word: str = words.NEW_STYLE
    name: str = "zib robot"
    note: str = ""


@contextlib.contextmanager
def weights(pipe, *folders):
    """Whole U-Nets: the weight changes of each, added to the base model's weights."""
    from edu_diffusion import models

    unet = copy.deepcopy(pipe.unet)
    base = dict(pipe.unet.named_parameters())
    for folder in folders:
        other = models.load(folder, pipe.device).unet
        for (name, mine), theirs in zip(unet.named_parameters(), other.parameters()):
            mine.data += theirs.data - base[name].data
    yield models.assemble(pipe.vae, pipe.text_encoder, pipe.tokenizer, unet, pipe.scheduler)


@contextlib.contextmanager
def lora(pipe, *folders):
    """Low-rank matrices beside the weights; several add up."""
    from edu_diffusion import models

    try:
        for i, folder in enumerate(folders):
            models.load_lora(pipe, folder, f"compared{i}")
        yield pipe
    finally:
        pipe.unload_lora_weights()


@contextlib.contextmanager
def hypernetworks(pipe, *folders):
    """Small networks before the key and value projections; several add up."""
    from edu_diffusion import models, steps

    every = [models.load_hyper(folder, pipe) for folder in folders]
    both = {width: tuple(added([pair[width][i] for pair in every]) for i in (0, 1)) for width in every[0]}
    with steps.with_hypernetwork(pipe.unet, both):
        yield pipe


def added(networks):
    """A function x -> the sum of the networks' outputs."""
    return lambda x: sum(network(x) for network in networks)


@contextlib.contextmanager
def new_words(pipe, *folders):
    """Rows of the token embedding table; each prompt uses those it names."""
    from edu_diffusion import models

    encoder, tokenizer = copy.deepcopy(pipe.text_encoder), copy.deepcopy(pipe.tokenizer)
    taught = models.assemble(pipe.vae, encoder, tokenizer, pipe.unet, pipe.scheduler)
    with models.quiet():
        for folder in folders:
            taught.load_textual_inversion(str(folder))
    yield taught


def of_subject(name, n, seed):
    """n pictures of the subject with captions, sampled from the four training pictures: the format of `examples=`."""
    import torch

    from edu_diffusion.data import subject

    rng = torch.Generator().manual_seed(seed)
    rows = [subject.TRAINING[i] for i in torch.randint(len(subject.TRAINING), (n,), generator=rng)]
    return subject.scenes_of(rows, name)


ZIB = {"examples": functools.partial(of_subject, "zib robot"), "batch": 8}
METHODS = {
    "full fine-tuning": Method(("finetune", {}), ("finetune", ZIB), weights),
    "DreamBooth": Method(
        ("finetune", {"prior": 1.0}), ("dreambooth", {}), weights, note="full fine-tuning with the prior-preservation loss"
    ),
    "LoRA": Method(("lora", {}), ("lora", ZIB), lora),
    "hypernetwork": Method(("hyper", {}), ("hyper", ZIB), hypernetworks),
    "textual inversion": Method(
        ("inversion", {"kind": "style"}), ("inversion", {"kind": "subject"}), new_words, f"<{words.NEW_STYLE}>", "<zib>"
    ),
}


def chosen(names: Sequence[str] | None) -> dict[str, Method]:
    """The methods with these names, or all. Raises EduError for an unknown name."""
    unknown = [name for name in names or () if name not in METHODS]
    if unknown:
        raise EduError(f"there is no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    return {name: METHODS[name] for name in names or METHODS}


# ---------------------------------------------------------------- without training


def aligned_pictures(pipe: "StableDiffusionPipeline", rows: Sequence[dict], seed: int, together: int = 8) -> "torch.Tensor":
    """StyleAligned images of prompt rows; they follow one real picture in the new style, noised to the same timestep.

    Image i has the seed `seed + i`, as everywhere; the reference takes the seed before. Returns (B, 3, 64, 64).
    """
    import torch

    from edu_diffusion import steps
    from edu_diffusion.data import newstyle

    shown = newstyle.batch(1, seed=7)
    z_0, pictures = steps.encode(pipe, shown.images), []
    for i in range(0, len(rows), together):
        prompts = [*shown.captions, *(r["prompt"] for r in rows[i : i + together])]
        follow = followed(z_0, steps.initial_noise(pipe, [seed + i - 1]))
        with steps.aligned(pipe.unet, len(prompts)):
            pictures.append(steps.draw(pipe, prompts, seed=seed + i - 1, step=follow)[1:])
    return torch.cat(pictures)


def followed(z_0, noise):
    """A DDIM step for all images but the first, which is the real picture noised to that timestep."""
    import torch

    from edu_diffusion.steps import ddim_step, q_sample

    def step(x_t, eps, abar_t, abar_s):
        return torch.cat([q_sample(z_0, noise, abar_s), ddim_step(x_t, eps, abar_t, abar_s)[1:]])

    return step
