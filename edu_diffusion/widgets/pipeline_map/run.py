"""One recorded run of a pipeline, from the prompt to the picture: all data of its map."""

from contextlib import nullcontext
from typing import Any, NamedTuple

from ...errors import EduError
from ...steps import GUIDANCE, Control, decode, generate
from ...steps.sdxl import is_xl
from ...trace import Trace, record
from ..blocks import block_names, down_and_up
from ..hints import DType, Messages, Module, Pipeline, Tensor
from ..progress import all_states
from ..recorded import RUNNING

__all__ = ["RecordedRun", "record_run", "skip_pairs", "tensor"]

TRACED = ("text_encoder", "unet", "vae.decoder")
ENCODERS = ("text_encoder", "text_encoder_2")
XL = ("text_encoder_2", "unet.add_embedding")


class RecordedRun(NamedTuple):
    """A finished run. tensor(run, name, step) returns the tensor of a box of the map."""

    pipe: Pipeline
    prompt: str
    guidance: float
    ids: Tensor  # (1, tokens), of the prompt
    trace: Trace
    states: list  # a State for each step
    image: Tensor  # (1, 3, H, W) in [-1, 1]
    control: Any  # the Control that conditioned it, or None
    control_trace: Any  # the trace of its ControlNet, or None


def record_run(
    pipe: Pipeline,
    prompt: str,
    seed: int = 0,
    steps: int = 10,
    guidance: float = GUIDANCE,
    control: Control | Tensor | None = None,
    dtype: DType | None = None,
) -> Messages[RecordedRun]:
    """Run the readable loop and record it; yields a message at each step, and returns the RecordedRun.

    pipe: a StableDiffusionPipeline. control: a steps.Control with a ControlNetModel; for a
    StableDiffusionControlNetPipeline, which has one, the condition is enough: (3, H, W) or (1, 3, H, W) in
    [0, 1]. dtype: of the stored tensors, as for `record`; None is the model's own.
    Raises EduError for a control that does not fit.
    """
    control = as_control(pipe, control)
    traced = [*TRACED, *(XL if is_xl(pipe.unet) else ()), *(f"unet.{name}" for name in block_names(pipe.unet))]
    recording = record(control.net, dtype=dtype, inputs=False) if control else nullcontext()
    with RUNNING, record(pipe, *traced, dtype=dtype, inputs=False) as trace, recording as control_trace:
        loop = generate(pipe, prompt, seed=seed, steps=steps, guidance=guidance, control=control)
        states = yield from all_states(loop, steps)
        image = decode(pipe, states[-1].z_s)
    return RecordedRun(pipe, prompt, guidance, token_ids(pipe, prompt), trace, states, image, control, control_trace)


def token_ids(pipe, prompt):
    """Return the token ids of a prompt, padded, (1, tokens)."""
    text = pipe.maybe_convert_prompt(prompt, pipe.tokenizer)
    return pipe.tokenizer(text, padding="max_length", truncation=True, return_tensors="pt").input_ids


def as_control(pipe, control):
    """Return a Control, or None. Raises EduError for a condition that does not fit or is missing."""
    net = getattr(pipe, "controlnet", None)
    if isinstance(control, Control):
        net, control = control.net, control
    elif control is not None and net is None:
        raise EduError("This pipeline has no ControlNet; give control=Control(net, condition) with one.")
    elif control is not None or net is not None:
        control = Control(net, batched(control))
    if control and not hasattr(net, "controlnet_cond_embedding"):
        raise EduError(f"The map shows one ControlNetModel, not a {type(net).__name__}.")
    return control


def batched(condition):
    """Return (3, H, W) as (1, 3, H, W)."""
    shape = tuple(getattr(condition, "shape", ()))
    if len(shape) not in (3, 4) or shape[-3] != 3 or shape[:-3] not in ((), (1,)):
        raise EduError(
            f"The condition has the shape {shape}; the pipeline's ControlNet needs one "
            "picture (3, height, width) with numbers from 0 to 1: give it as control=..."
        )
    return condition.reshape(1, *shape[-3:])


def tensor(run: RecordedRun, name: str, step: int) -> Tensor | None:
    """Return the tensor of a box of the map at a step, the whole batch; the prompt's own comes last.

    name: of a box, see figures.pipeline. step: from 0. The box "prompt" has no tensor: None.
    """
    state = run.states[step]
    direct = {
        "prompt": None,
        "tokenizer": run.ids,
        "noise": run.states[0].z_t,
        "z_t": state.z_t,
        "guidance": state.eps,
        "scheduler": state.z_s,
        "picture": run.image,
    }
    if name in direct:
        return direct[name]
    if name in ENCODERS:
        return encoded(list(run.trace[name].values())[-1])  # with guidance the negative prompt comes first
    if name == "condition":
        return run.control.condition
    if name == "controlnet":
        return run.control_trace.call("", step).output
    if name == "vae":
        return run.trace.call("vae.decoder", 0).output
    return run.trace.call("unet" if name == "unet" else f"unet.{name}", step).output


def encoded(call):
    """Return what the U-Net gets of a text encoder's output: the last layer's, of Stable Diffusion XL the last but one."""
    hidden = getattr(call.outputs, "hidden_states", None)
    return hidden[-2] if hidden else call.output


def skip_pairs(unet: Module) -> list[tuple[str, str]]:
    """Return (block that makes it, block that takes it) for every skip: they are taken in reverse order."""
    down, up = down_and_up(unet)
    made, taken = ["conv_in"], []
    for name, block in zip(down, unet.down_blocks):
        made += [name] * (len(block.resnets) + len(block.downsamplers or []))
    for name, block in zip(up, unet.up_blocks):
        taken += [name] * len(block.resnets)
    return list(zip(made, reversed(taken), strict=True))
