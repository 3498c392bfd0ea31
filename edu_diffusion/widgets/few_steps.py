"""Few steps: four images of a prompt, drawn while it is typed."""

from collections.abc import Callable
from typing import Any

from ..figures import quick_row
from ..steps import GUIDANCE, STEPS, decode, generate, tcd_step
from ..steps.text_to_image import level
from .controls import choice, dragged, seeds, ticked, words
from .explore import Explore
from .hints import Drawing, Pipeline, Tensor
from .messages import notices
from .progress import all_states
from .recorded import RUNNING

__all__ = ["FewStepsExplorer", "jumps", "lcm_timesteps"]

COUNT = 4  # images
EDGE = 192  # pixels of a small model's image on the page, at least
CALLS = (1, 2, 4, 8)
ORIGINAL = 50  # the steps of the run that LCM's timesteps are taken from; the library's default
USUAL = STEPS * (1 if GUIDANCE == 1 else 2)  # evaluations of an image in every other lesson


class FewStepsExplorer(Explore):
    """Four images of a prompt, from four seeds, drawn again at every letter that is typed.

    pipe: a StableDiffusionPipeline with a few-step LoRA in it; the checkbox switches it off, to compare. calls: evaluations
    of the U-Net for an image, 1, 2, 4 or 8. fresh: how much of the noise between two steps is new, 0 (DDIM's step) to 1
    (LCM's). prompt, seed: the other controls' initial values. Raises ValueError for a pipeline without a LoRA.
    """

    def __init__(
        self, pipe: Pipeline, prompt: str = "a cat", seed: int = 0, calls: int = 4, fresh: float = 1.0, lora: bool = True
    ) -> None:
        if not any(pipe.get_list_adapters().values()):
            raise ValueError('This pipeline has no LoRA; put one in, such as ed.load_lora(pipe, "few_steps").')
        text = words(prompt, "Prompt")
        text.continuous_update = True  # each letter is a new prompt, and the drawing of the one before it stops
        super().__init__(
            lambda **values: four(pipe, **values),
            prompt=text,
            seed=seeds(seed, "First seed"),
            calls=choice([(str(n), n) for n in CALLS], calls, "Evaluations"),
            fresh=dragged(fresh, 0.0, 1.0, "New noise", 0.1),
            lora=ticked(lora, "With the LoRA"),
        )


def four(pipe: Pipeline, prompt: str, seed: int = 0, calls: int = 4, fresh: float = 1.0, lora: bool = True) -> Drawing:
    """Generate four images without guidance; yield a message at each step, then the images as a Picture, then notices."""
    with RUNNING:
        (pipe.enable_lora if lora else pipe.disable_lora)()
        try:
            pairs = lcm_timesteps(calls)
            loop = generate(pipe, [prompt] * COUNT, seed=seed, guidance=1, pairs=pairs, step=jumps(pipe, pairs, fresh))
            states = yield from all_states(loop, calls)
        finally:
            pipe.enable_lora()
        images = decode(pipe, states[-1].z_s).float().cpu()
    labels = [f"seed {seed + i}" for i in range(COUNT)]
    how = f'"{prompt}", {"with the LoRA" if lora else "without the LoRA"}'
    yield quick_row(images, labels, calls, USUAL, how, scale=max(1, EDGE // images.shape[-1]))
    yield notices(pipe.tokenizer, prompt)


def lcm_timesteps(calls: int, T: int = 1000) -> list[tuple[int, int]]:
    """The pairs (t, s) of a run with so many evaluations, as the library's LCMScheduler and TCDScheduler choose them."""
    t = [(ORIGINAL - i * ORIGINAL // calls) * (T // ORIGINAL) - 1 for i in range(calls)]
    return list(zip(t, [*t[1:], -1]))


def jumps(pipe: Pipeline, pairs: list[tuple[int, int]], fresh: float) -> Callable[..., Tensor]:
    """A sampler for `generate` that makes one run over these pairs: tcd_step, jumping to r = (1 - fresh) s.

    fresh is the library's eta: 0 is DDIM's step; 1 is LCM's but for r, the timestep 0 in place of no noise at all.
    """
    ends = iter([level(pipe, s if s < 0 else int((1 - fresh) * s)) for _, s in pairs])

    def step(x_t: Any, eps: Any, abar_t: Any, abar_s: Any, noise: Any) -> Any:
        return tcd_step(x_t, eps, abar_t, abar_s, noise, next(ends))

    return step
