"""Ways of teaching a model something new: how each is trained, and how what it left in a folder is put to use.

    with METHODS["LoRA"].use(pipe, folder) as taught:       # two folders: both at once
        ...                                                 # taught is a pipeline; pipe is left as it was

All learn the same two things: a drawing style (data/newstyle.py) and a subject (data/subject.py).
"""

import contextlib
import copy
import functools
from typing import Callable, NamedTuple

from edu_diffusion.data import words
from edu_diffusion.errors import EduError


class Method(NamedTuple):
    """How something new is taught. style, subject: recipe's name and settings. word, name: how prompts ask for them."""

    style: tuple
    subject: tuple
    use: Callable  # (pipe, *folders): a context that yields a pipeline
    word: str = words.NEW_STYLE
    name: str = "zib robot"
    note: str = ""


@contextlib.contextmanager
def weights(pipe, *folders):
    """Whole U-Nets: the changes of each, added to the base's weights."""
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
    """Thin matrices beside the weights; several add up."""
    from edu_diffusion import models
    try:
        for i, folder in enumerate(folders):
            models.load_lora(pipe, folder, f"compared{i}")
        yield pipe
    finally:
        pipe.unload_lora_weights()


@contextlib.contextmanager
def hypernetworks(pipe, *folders):
    """Networks before the keys and values; several add up."""
    from edu_diffusion import models, steps
    every = [models.load_hyper(folder, pipe) for folder in folders]
    both = {width: tuple(added([pair[width][i] for pair in every]) for i in (0, 1)) for width in every[0]}
    with steps.hypernetwork(pipe.unet, both):
        yield pipe


def added(networks):
    """A function x -> the sum of what networks make of it."""
    return lambda x: sum(network(x) for network in networks)


@contextlib.contextmanager
def new_words(pipe, *folders):
    """Rows of the table of words; each prompt uses those it names."""
    from edu_diffusion import models
    encoder, tokenizer = copy.deepcopy(pipe.text_encoder), copy.deepcopy(pipe.tokenizer)
    taught = models.assemble(pipe.vae, encoder, tokenizer, pipe.unet, pipe.scheduler)
    with models.quiet():
        for folder in folders:
            taught.load_textual_inversion(str(folder))
    yield taught


def of_subject(name, n, seed):
    """n pictures of the subject and their captions, from the four that there are: what `examples=` wants."""
    import torch
    from edu_diffusion.data import subject
    rng = torch.Generator().manual_seed(seed)
    rows = [subject.TRAINING[i] for i in torch.randint(len(subject.TRAINING), (n,), generator=rng)]
    return subject.scenes_of(rows, name)


ZIB = {"examples": functools.partial(of_subject, "zib robot"), "batch": 8}
METHODS = {
    "full fine-tuning": Method(("finetune", {}), ("finetune", ZIB), weights),
    "DreamBooth": Method(("finetune", {"prior": 1.0}), ("dreambooth", {}), weights,
                         note="full fine-tuning with the prior-preservation loss"),
    "LoRA": Method(("lora", {}), ("lora", ZIB), lora),
    "hypernetwork": Method(("hyper", {}), ("hyper", ZIB), hypernetworks),
    "textual inversion": Method(("inversion", {"kind": "style"}), ("inversion", {"kind": "subject"}), new_words,
                                f"<{words.NEW_STYLE}>", "<zib>"),
}


def chosen(names):
    """The methods of these names, or all. Raises EduError for one that there is not."""
    unknown = [name for name in names or () if name not in METHODS]
    if unknown:
        raise EduError(f"there is no method {unknown[0]!r}; there are {', '.join(METHODS)}")
    return {name: METHODS[name] for name in names or METHODS}


# ---------------------------------------------------------------- without training

def aligned_pictures(pipe, rows, seed, together=8):
    """StyleAligned pictures of prompt rows; what they follow is one real drawing in the new style, noisy as they are.

    Picture i has the seed `seed + i`, as everywhere; the drawing takes the one before. Returns (B, 3, 64, 64).
    """
    import torch
    from edu_diffusion import steps
    from edu_diffusion.data import newstyle
    shown = newstyle.batch(1, seed=7)
    z_0, pictures = steps.encode(pipe, shown.images), []
    for i in range(0, len(rows), together):
        prompts = [*shown.captions, *(r["prompt"] for r in rows[i:i + together])]
        follow = followed(z_0, steps.initial_noise(pipe, [seed + i - 1]))
        with steps.aligned(pipe.unet, len(prompts)):
            *_, last = steps.generate(pipe, prompts, seed=seed + i - 1, step=follow)
        pictures.append(steps.decode(pipe, last.z_s)[1:])
    return torch.cat(pictures).float()


def followed(z_0, noise):
    """DDIM's step for all but the first picture, which is the real one at that level of noise."""
    import torch
    from edu_diffusion.steps import ddim_step, q_sample

    def step(x_t, eps, abar_t, abar_s):
        return torch.cat([q_sample(z_0, noise, abar_s), ddim_step(x_t, eps, abar_t, abar_s)[1:]])

    return step
