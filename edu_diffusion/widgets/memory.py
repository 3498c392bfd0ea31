"""Memory: sliders and lists for what is to be drawn, and how, above the bars of what each phase takes."""

from collections.abc import Callable, Sequence
from typing import Any

from ..figures import Need, memory_bars
from .controls import choice, dragged, number, ticked
from .explore import Explore
from .hints import Drawing

__all__ = ["MemoryExplorer"]

MODELS = {"tiny": "base", "Stable Diffusion 1.5": "sd15", "Stable Diffusion XL": "sdxl"}
DTYPES = ("float32", "float16", "bfloat16")
OFFLOADS = (("none", None), ("model", "model"), ("sequential", "sequential"))
STEP = 64  # pixels


class MemoryExplorer(Explore):
    """Controls for model, size, batch, dtype, offload, slicing and tiling; what each phase of drawing is predicted to take.

    plan: models.plan, or a function with the same arguments. model: a key of MODELS. budget: the memory available in GB,
    a dashed line. Nothing is allocated, so that any combination can be tried.
    """

    def __init__(
        self,
        plan: Callable[..., Any],
        model: str = "Stable Diffusion XL",
        size: int = 1024,
        batch: int = 1,
        dtype: str = "float16",
        budget: float = 8.0,
        models: Sequence[str] = tuple(MODELS),
    ) -> None:
        self.plan = plan
        super().__init__(
            self.bars,
            model=choice(models, model, "Model"),
            size=dragged(size, STEP, 2048, "Edge in pixels", STEP),
            batch=dragged(batch, 1, 16, "Images at once"),
            dtype=choice(DTYPES, dtype, "Numbers"),
            offload=choice(OFFLOADS, None, "Offload"),
            slicing=ticked(False, "VAE slicing"),
            tiling=ticked(False, "VAE tiling"),
            budget=number(budget, 0.1, 200.0, 1.0, "Available GB"),
        )

    def bars(self, model: str, budget: float, **settings: Any) -> Drawing:
        """Yield a message, then the bars as a Picture, and a sentence that says whether it fits."""
        yield "Planning ..."
        plan = self.plan(MODELS[model], **{**settings, "size": int(settings["size"]), "batch": int(settings["batch"])})
        needs = [Need(phase, plan.resident[phase], plan.phases[phase]) for phase in plan.phases]
        yield memory_bars(needs, 1e9 * budget, what="phases")
        fits = "fits into" if plan.peak <= 1e9 * budget else "does not fit into"
        yield f"{plan.words}: {plan.peak / 1e9:.3g} GB at the most, in the {plan.phase}; this {fits} {budget:g} GB (a prediction)."
