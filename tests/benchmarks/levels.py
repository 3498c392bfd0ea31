"""At which timestep does the base lose the content of the prompt?

    python3 tests/benchmarks/levels.py [guidance]

Real scenes of frozen prompts are noised to a timestep t and denoised from there with their own captions. Prints,
for each timestep, how often the judge still recognises the concept and the style, and how often the nearest reference has
the right concept: where the share falls, the base loses it. The last row starts from pure noise.
"""

import sys

import torch

from edu_diffusion import metrics, models, steps
from edu_diffusion.data import scenes
from edu_diffusion.data.world import prompts

STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
BATCH = 40


def drawn(pipe, rows, strength, guidance):
    """Real scenes of the rows, noised by this strength and denoised again, (B, 3, 64, 64); and the timestep t."""
    real = scenes.render(scenes.spec_of(rows), torch.Generator().manual_seed(7))[0]
    pictures = []
    for i in range(0, len(rows), BATCH):
        texts = [row["prompt"] for row in rows[i : i + BATCH]]
        states = list(steps.img2img(pipe, texts, real[i : i + BATCH], strength=strength, seed=i, guidance=guidance))
        pictures.append(steps.decode(pipe, states[-1].z_s))
    return torch.cat(pictures).clamp(-1, 1), states[0].t


def line(network, label, pictures, rows):
    right, spec = metrics.right(network, pictures, rows), scenes.spec_of(rows)
    near = metrics.nearest_as_asked(pictures, rows)[0] == spec.concept
    shares = (right["concept"], right["style"], near)
    print(f"{label:>8}" + "".join(f"{100 * share.float().mean():14.1f}" for share in shares), flush=True)


def main(guidance=metrics.GUIDANCE):
    pipe = models.load("base")
    network = metrics.load_judge()
    rows = prompts("core")[::2][:160]
    print(f"{'t':>8}{'concept':>14}{'style':>14}{'nearest':>14}   (%, n = {len(rows)})")
    for strength in STRENGTHS:
        pictures, t = drawn(pipe, rows, strength, guidance)
        line(network, f"{t}", pictures, rows)
    line(network, "noise", metrics.draw(pipe, rows, guidance=guidance), rows)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
