"""The readable sampling loop against the library's pipeline, on the shipped weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import vanilla
from torch.testing import assert_close

import edu_diffusion
from edu_diffusion import steps

BASE = Path(edu_diffusion.__file__).parent / "checkpoints" / "base"
pytestmark = pytest.mark.skipif(not BASE.exists(), reason="checkpoints/base is not there yet")


@pytest.fixture(scope="module")
def pipe():
    from edu_diffusion import models

    pipe = models.load("base", device="cpu", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.mark.parametrize(
    "prompt, negative, seed, count, g",
    [
        ("a cat face on a blue background", "", 0, 20, 4.0),
        ("a cat face on a blue background", "", 1, 4, 1.0),
        ("a red apple on a white background", "blue", 7, 30, 7.5),
    ],
)
def test_latents_and_pictures(pipe, prompt, negative, seed, count, g):
    settings = {"num_inference_steps": count, "guidance_scale": g, "negative_prompt": negative}
    states = list(steps.generate(pipe, prompt, negative=negative, seed=seed, steps=count, guidance=g))
    assert_close(states[-1].z_s, vanilla(pipe, prompt, [seed], **settings))
    picture = steps.to_uint8(steps.decode(pipe, states[-1].z_s))[0].numpy()
    assert np.array_equal(picture, vanilla(pipe, prompt, [seed], "pil", **settings)[0])
