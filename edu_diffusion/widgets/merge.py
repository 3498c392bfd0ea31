"""Merging: one slider for the weight of a weighted sum, and what the merged model draws for a few seeds."""

import copy
from typing import Any

from ..figures import row
from ..steps import GUIDANCE, STEPS, decode, generate, weighted_sum
from .cache import Cache, networks
from .cached_runs import StandIn
from .controls import dragged, seeds, words
from .explore import Explore
from .hints import Drawing, Messages, Pipeline, Tensor
from .messages import cut
from .progress import all_states

__all__ = ["MergeExplorer"]

LEAST, MOST = -0.5, 1.5  # weights: beyond 0 and 1 the sum extrapolates
PICTURES = 4
MERGES = 24  # weights, prompts and seeds of which the images are stored


class MergeExplorer(Explore):
    """The images of a merged model for four seeds; the sliders' weight says how much of the second parent is in it.

    a, b: StableDiffusionPipelines whose U-Nets have the same tensors, or ValueError is raised; both stay unchanged. Text
    encoder and VAE are a's. names: of the two. The other arguments are the controls' initial values.
    """

    def __init__(
        self,
        a: Pipeline,
        b: Pipeline,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        weight: float = 0.5,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        names: tuple[str, str] = ("A", "B"),
    ) -> None:
        weighted_sum(a.unet.state_dict(), b.unet.state_dict(), weight)
        self.a, self.b, self.names = a, b, names
        self._settings: dict[str, Any] = {"steps": steps, "guidance": guidance}
        self._unet = copy.deepcopy(a.unet)
        self._images = Cache(MERGES)
        dial = dragged(weight, LEAST, MOST, f"Weight of {names[1]}", 0.05)
        super().__init__(self.merged, prompt=words(prompt, "Prompt"), seed=seeds(seed), weight=dial)

    def merged(self, prompt: str, seed: int, weight: float) -> Drawing:
        """Yield progress messages, then the images of all seeds as one Picture."""
        parents = *networks(self.a), self.b.unet
        images = yield from self._images.ask((prompt, seed, weight), lambda: self.run(prompt, seed, weight), *parents)
        shares = f"{1 - weight:.2f} {self.names[0]} + {weight:.2f} {self.names[1]}"
        labels = [f"seed {seed + i}" for i in range(PICTURES)]
        yield row(images, labels, f"{prompt}: {PICTURES} seeds from {seed} on, drawn by the merged model, {shares}.")
        yield cut(self.a.tokenizer, prompt)

    def run(self, prompt: str, seed: int, weight: float) -> Messages[Tensor]:
        """Merge the U-Nets and run the loop: return the images (4, 3, H, W)."""
        self._unet.load_state_dict(weighted_sum(self.a.unet.state_dict(), self.b.unet.state_dict(), weight))
        view = StandIn(self.a, unet=self._unet)
        states = yield from all_states(generate(view, [prompt] * PICTURES, seed=seed, **self._settings), self._settings["steps"])
        return decode(self.a, states[-1].z_s).float().cpu()
