"""LoRA: weights for one or two adapters, the picture, and where in the U-Net they act."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..figures import adapted
from ..steps import GUIDANCE, decode, generate
from ..trace import Trace, record
from .blocks import block_names, changes, short
from .cache import Cache, networks
from .controls import dragged, seeds, words
from .explore import Explore
from .hints import Drawing, Messages, Pipeline, Tensor
from .images import small
from .messages import cut
from .progress import all_states
from .recorded import RUNNING

__all__ = ["LoraExplorer", "changes"]

MOST_WEIGHT = 1.5
EDGE = 256  # pixels: the largest edge of a picture


class LoraExplorer(Explore):
    """A slider for each adapter; the picture without and with them, and how much each block's output changes.

    pipe: a StableDiffusionPipeline with at least one LoRA in its U-Net, see models.load_lora. weights: the
    sliders' initial values, {name: weight}; None: all at 1. The pipeline keeps the weights that are set here.
    The change is measured at the first step, where both runs have the same input.
    """

    def __init__(
        self,
        pipe: Pipeline,
        prompt: str = "a cat face on a blue background, contrast style",
        seed: int = 0,
        steps: int = 12,
        guidance: float = GUIDANCE,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.pipe = pipe
        self._settings: dict[str, Any] = {"steps": steps, "guidance": guidance}
        self._base = Cache(1)
        self.names = sorted(pipe.get_list_adapters().get("unet", ()))[:2]
        if not self.names:
            raise ValueError("This pipeline has no LoRA in its U-Net; put one in with models.load_lora.")
        given = weights or dict.fromkeys(self.names, 1.0)
        dials = {
            f"weight_{i}": dragged(given.get(name, 0.0), 0.0, MOST_WEIGHT, f"Weight of {name}", 0.05)
            for i, name in enumerate(self.names)
        }
        super().__init__(self.compare, prompt=words(prompt, "Prompt"), seed=seeds(seed), **dials)

    def compare(self, prompt: str, seed: int, **dials: float) -> Drawing:
        """Yield progress messages, then both pictures and the bars as a Picture."""
        weights = list(dials.values())
        image, trace = yield from self.base(prompt, seed)
        other, changed = yield from self.run(prompt, seed, weights)
        moved = changes(trace, changed)
        label = ", ".join(f"{name} {weight:g}" for name, weight in zip(self.names, weights))
        yield adapted(
            small(image, EDGE),
            small(other, EDGE),
            ("base model", label),
            [short(name) for name in moved],
            list(moved.values()),
            max(EDGE // image.shape[-1], 1),
        )
        yield cut(self.pipe.tokenizer, prompt)

    def base(self, prompt: str, seed: int) -> Messages[tuple[Tensor, Trace]]:
        """Run without the adapters, or recall it; the run with them is always done, since it sets their weights."""
        nothing = [0.0] * len(self.names)
        return self._base.ask((prompt, seed), lambda: self.run(prompt, seed, nothing), *networks(self.pipe))

    def run(self, prompt: str, seed: int, weights: Sequence[float]) -> Messages[tuple[Tensor, Trace]]:
        """Run with these weights: return the picture (3, H, W), and the trace of all blocks at the first step."""
        inside = [name for name in block_names(self.pipe.unet) if "block" in name]
        with RUNNING:
            self.pipe.set_adapters(self.names, weights)
            with record(self.pipe.unet, *inside, at=0, inputs=False) as trace:
                loop = generate(self.pipe, prompt, seed=seed, **self._settings)
                states = yield from all_states(loop, self._settings["steps"])
            return decode(self.pipe, states[-1].z_s)[0].float().cpu(), trace
