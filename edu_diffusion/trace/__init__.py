"""Look inside a model: record the activations of any module during inference, without changing the model.

    with record(pipe, "unet.mid_block", "unet.down_blocks.*") as trace:
        pipe("a cat face on a blue background")
    trace["unet.mid_block"][7].output  # the output of the U-Net's mid block in its call 7, the eighth step

A model is any torch module, or a diffusers pipeline: then the names begin with the name of the part, such as
"unet.", "vae.decoder." or "text_encoder." (a pipeline never calls its VAE as a whole, only the VAE's parts). Nothing
in the model is changed or rewritten: torch's own hooks copy the tensors, and are removed when the block ends,
also after an exception.

The tests run all of this on the shipped tiny pipeline, and on a narrow U-Net with random weights that has the
blocks of Stable Diffusion 1.5 (four levels, two layers each, eight heads). The real weights are untested, and
so are GPUs.

    record.py      activations by dotted name
    attention.py   attention maps: which positions attend to which tokens
    words.py       the tokens of each word
    ablate.py      remove a block or a skip, and see the effect on the picture
    hold.py        group normalisations with fixed statistics
    profile.py     parameters, time and memory, block by block
    names.py       dotted names and patterns
    nested.py      tensors in tuples, lists and dictionaries
"""

from .ablation import ablate
from .attention import attention_maps, cross_attention, heat_maps, record_attention, resolutions
from .names import modules
from .norms import hold_norms
from .profiling import Profile, Share, profile
from .prompt_words import by_word, words
from .recording import Call, Trace, record

__all__ = [
    # names
    "modules",
    # record
    "record",
    "Trace",
    "Call",
    # attention
    "cross_attention",
    "record_attention",
    "attention_maps",
    "resolutions",
    "heat_maps",
    # hold
    "hold_norms",
    # words
    "words",
    "by_word",
    # profile
    "profile",
    "Profile",
    "Share",
    # ablate
    "ablate",
]
