"""The details of an opened box of the map: text, statistics and a picture of its tensor."""

from ...figures import channels, feature_maps, row, source, time_embedding
from ...figures.pipeline import Details, Diagram, diagram
from ...figures.run_map import grid, token_strip
from ...steps.sdxl import is_xl
from ..blocks import down_and_up, shape_words
from ..images import small
from .boxes import part
from .run import ENCODERS, RecordedRun, skip_pairs, tensor

__all__ = ["details", "laid_out"]

EDGE = 256  # pixels: the edge of a picture at most
CONSTANT = (
    "prompt",
    "tokenizer",
    "text_encoder",
    "text_encoder_2",
    "add_embedding",
    "noise",
    "vae",
    "picture",
    "condition",
)  # the same at every step
LATENTS = {
    "noise": ["the noise"],
    "z_t": ["the latent"],
    "unet": ["without the prompt", "with the prompt"],
    "conv_out": ["without the prompt", "with the prompt"],
    "scheduler": ["before the step", "after it"],
    "guidance": ["noise, without the prompt", "noise, with the prompt", "guided"],
}


def laid_out(run: RecordedRun) -> Diagram:
    """Return the Diagram of a RecordedRun: the boxes that took part in it, with the shapes of their tensors."""
    down, up = down_and_up(run.pipe.unet)
    kinds = run.control is not None, is_xl(run.pipe.unet)
    boxes = diagram(down, up, [], {}, *kinds).boxes
    tensors = {box.name: tensor(run, box.name, 0) for box in boxes}
    shapes = {name: shape_words(x.shape[1:]) for name, x in tensors.items() if x is not None}
    return diagram(down, up, skip_pairs(run.pipe.unet), shapes, *kinds)


def details(run: RecordedRun, name: str, step: int = 0) -> Details:
    """Return the Details of a box at a step, counted from 0.

    run: a RecordedRun. name: of a box, see laid_out. Raises ValueError for an unknown box or step.
    """
    about = part(name)
    if name == "text_encoder" and is_xl(run.pipe.unet):
        about = part("text_encoder_2")._replace(title=about.title, words=about.words, module=name)
    if step not in range(len(run.states)) or (name in ("controlnet", "condition") and run.control is None):
        raise ValueError(
            f"The box is {name!r} and the step {step!r}; the run had {len(run.states)} steps, "
            f"counted from 0, and {'no' if run.control is None else 'a'} ControlNet."
        )
    x, code = tensor(run, name, step), source(about.function).text
    line = [i for i, text in enumerate(code.splitlines()) if about.marker in text]
    title = about.title if name in CONSTANT else (f"{about.title}, step {step + 1} of {len(run.states)}, t = {run.states[step].t}")
    module = run.control.net if name == "controlnet" else run.trace.modules.get(about.module)
    facts = [*extra(run, name, step), *statistics(x), *parameters(about.module and module)]
    return Details(
        name,
        title,
        about.words,
        facts,
        drawn(run, name, step, x),
        about.function.__qualname__,
        code,
        line[-1] if line else 0,
        about.lesson,
        about.term,
    )


def statistics(x):
    """Return pairs (what, value) of a tensor; an empty list for None."""
    if x is None:
        return []
    shape = shape_words(x.shape) + (" (without the prompt, with it)" if len(x) == 2 else "")
    real, low_high = x.float(), (x.min().item(), x.max().item())
    numbers = dict(
        zip(("smallest", "largest"), low_high), mean=real.mean().item(), **{"standard deviation": real.std(correction=0).item()}
    )
    return [
        ("shape", shape),
        ("dtype", str(x.dtype).removeprefix("torch.")),
        *((what, f"{value:.{4 if x.is_floating_point() else 6}g}") for what, value in numbers.items()),
    ]


def parameters(module):
    """Return the number of a part's parameters, as a pair; an empty list if it has none."""
    return [("parameters", f"{sum(p.numel() for p in module.parameters()):,}")] if module else []


def extra(run, name, step):
    """Return the facts that only some boxes have: pairs (what, value)."""
    pairs, state = skip_pairs(run.pipe.unet), run.states[step]
    made, taken = (sum(pair[i] == name for pair in pairs) for i in (0, 1))
    after = f"t = {state.s}" if state.s >= 0 else "no noise left"
    found = {
        "prompt": ("words", run.prompt),
        "tokenizer": ("tokens", str(len(pieces(run)))),
        "guidance": ("guidance scale", f"{run.guidance:g}"),
        "scheduler": ("next timestep", after),
    }.get(name)
    return [
        *([found] if found else []),
        *([("skips stored", str(made))] if made else []),
        *([("skips concatenated", str(taken))] if taken else []),
    ]


def pieces(run):
    """Return the tokens of the prompt as text, from the start token to the first end token."""
    ids, words = run.ids[0].tolist(), run.pipe.tokenizer
    end = ids.index(words.eos_token_id, 1)
    texts = [piece.removesuffix("</w>") for piece in words.convert_ids_to_tokens(ids[1:end])]
    return ["<start>", *texts, "<end>"]


def drawn(run, name, step, x):
    """Return the Picture of a box's tensor."""
    if name in ("prompt", "tokenizer"):
        return token_strip(pieces(run), run.ids[0].tolist()[: len(pieces(run))])
    if name in ENCODERS:
        return grid(x[-1], "the text embedding", pieces(run))
    if name == "add_embedding":
        return grid(x[-1:], "the added embedding")
    if name == "time_embedding":
        rows = [tensor(run, name, i)[-1] for i in range(len(run.states))]
        return time_embedding(rows, [state.t for state in run.states], step)
    if name in ("picture", "vae", "condition"):
        return photograph(run, name, x)
    if name in LATENTS:
        return latents(run, name, step, x)
    return feature_maps(x[-1], part(name).title, most=24)


def photograph(run, name, x):
    """Return an ordinary picture, with its caption below."""
    image = small((x[0] * 2 - 1 if name == "condition" else x[0]).float().cpu(), EDGE)
    words = "the ControlNet's input" if name == "condition" else run.prompt
    return row(image[None], [words], scale=max(EDGE // image.shape[-1], 1))


def latents(run, name, step, x):
    """Return the channels of one or more latents, in rows."""
    state = run.states[step]
    shown = {"guidance": [state.eps_u[0], state.eps_c[0], state.eps[0]], "scheduler": [state.z_t[0], state.z_s[0]]}.get(
        name, list(x)
    )
    return channels(shown, LATENTS[name][-len(shown) :], scale=max(64 // x.shape[-1], 1))
