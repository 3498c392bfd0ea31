"""The checks of `doctor --class`, for the day before: everything that a class will use, and how long it takes on this computer.

Like those of doctor.py, each returns (ok, text, remedy).
"""

import functools
import os
import socket
import time
from pathlib import Path

from edu_diffusion.data.files import PACKAGE

from . import intact, kit, lessons, remedies

PORTS = range(8888, 8939)  # those that Jupyter tries, one after the other
PROMPT = "a cat face"
SLOW_PICTURE, SLOW_LESSON = 30, 15  # seconds, minutes


def checks(folder):
    """Return the checks; folder: of a kit, or None."""
    given = [functools.partial(kit_complete, folder)] if folder else []
    return [*given, checkpoints, intact.notebooks, threads, ports, picture, lesson]


def kit_complete(folder):
    """Compare every file of a kit with the list in it."""
    wrong = kit.faults(Path(folder))
    text = f"kit: {intact.first(wrong)}" if wrong else f"kit: {folder} is complete"
    return not wrong, text, f"build or copy it again: python3 -m edu_diffusion kit {folder}"


# ---------------------------------------------------------------- checkpoints


def checkpoints():
    """Use every shipped checkpoint once: most of them draw."""
    names = [path.parent.name for path in sorted((PACKAGE / "checkpoints").glob("*/card.json"))]
    wrong = [f"{name}: {fault}" for name in names if (fault := fault_of(PACKAGE / "checkpoints" / name))]
    restored = remedies.restore(*(PACKAGE / "checkpoints" / text.split(":")[0] for text in wrong))
    return not wrong, f"checkpoints: {'; '.join(wrong)}" if wrong else f"checkpoints: {', '.join(names)} work", restored


def fault_of(folder):
    """Return what is wrong with a checkpoint, or None."""
    try:
        values = used(folder)
    except Exception as error:  # any exception is a problem to report
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None if values.float().std() > 0 else "it gives an image of one colour"  # nor is NaN above 0


def used(folder):
    """Return what a checkpoint computes: an image of two steps, or for CLIP and the judge what they say about noise."""
    import torch

    from edu_diffusion import metrics, models

    files = {path.name for path in folder.iterdir()}
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    if folder.name == "judge":
        return torch.cat([logits.flatten() for logits in metrics.load_judge("cpu", folder)(noise * 2 - 1).values()])
    if folder.name == "clip":
        clip, tokenizer = models.load_clip(folder, "cpu")
        return clip.get_text_features(**tokenizer(PROMPT, return_tensors="pt", padding="max_length")).pooler_output
    if folder.name == "half_trained":
        return torch.cat([digits_of(folder, target) for target in ("eps", "v")])
    if "model_index.json" in files:
        return drawn(models.load(folder, "cpu"))
    pipe = models.load("base", "cpu")
    if "pytorch_lora_weights.safetensors" in files:
        return drawn(models.load_lora(pipe, folder))
    if "learned_embeds.safetensors" in files:
        pipe.load_textual_inversion(str(folder), weight_name="learned_embeds.safetensors")
        return drawn(pipe)
    return drawn(pipe, control=controlled(models.load_control(folder, "cpu"), noise))


def controlled(net, condition):
    from edu_diffusion import steps

    return steps.Control(net, condition)


def digits_of(folder, target):
    """Return two digits by a half-trained model, in two steps."""
    import torch

    from edu_diffusion.train import ddpm, half

    unet = ddpm.build_digit_unet(*ddpm.SHAPES[target])
    unet.load_state_dict(half.half_trained(f"ddpm_{target}", folder).weights)
    with torch.no_grad():
        return ddpm.draw(unet.eval(), torch.arange(2), steps=2, target=target)


def drawn(pipe, count=2, **more):
    """Return an image of a few steps."""
    from edu_diffusion import steps

    return steps.draw(pipe, PROMPT, steps=count, **more)


# ---------------------------------------------------------------- this computer


def threads():
    import torch

    count, cores = torch.get_num_threads(), os.cpu_count() or 1
    return (
        count >= min(2, cores),
        f"threads: torch uses {count} of {cores} cores",
        "OMP_NUM_THREADS holds torch back; unset it, or set it to the number of cores",
    )


def ports():
    """Look for a port on which JupyterLab can listen."""
    free = next((port for port in PORTS if is_free(port)), None)
    return (
        free is not None,
        f"ports: {free} is free for JupyterLab" if free else f"ports: {PORTS[0]} to {PORTS[-1]} are all in use",
        "close other Jupyter programs, or start with: python3 -m edu_diffusion lab --port 9100",
    )


def is_free(port):
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def picture():
    """Measure one image of the usual number of steps, after one to warm up."""
    from edu_diffusion import models, steps

    pipe = models.load("base")
    drawn(pipe)
    begin = time.perf_counter()
    drawn(pipe, steps.STEPS)
    seconds = time.perf_counter() - begin
    return (
        seconds <= SLOW_PICTURE,
        f"speed: {seconds:.1f} s for an image of {steps.STEPS} steps",
        "close other programs, connect the power supply, or let two learners share a faster computer",
    )


def lesson():
    """Run the first lesson from beginning to end, as a learner would who only presses Shift and Enter, and measure it."""
    import nbformat

    from . import render

    path = min(lessons.source().glob("*.ipynb"))
    notebook = nbformat.read(path, as_version=4)
    begin = time.perf_counter()
    render.execute(notebook, path.name)
    minutes = (time.perf_counter() - begin) / 60
    return (
        minutes <= SLOW_LESSON,
        f"lessons: {path.stem} runs, {minutes:.1f} minutes of computing; reading and answering come on top",
        "plan more time, close other programs, or let two learners share a faster computer",
    )
