"""LoRA: weights for one or two adapters, the picture, and where in the U-Net they act."""

from ..figures import adapted
from ..steps import GUIDANCE, decode, generate
from ..trace import record
from .cache import version
from .explore import Explore
from .prompt import MOST_SEED, cut
from .recorded import RUNNING, small
from .timeline import dragged, whole, words
from .unet import blocks, short

__all__ = ["LoraExplorer", "changes"]

MOST_WEIGHT = 1.5
EDGE = 256  # pixels: the largest edge of a picture


class LoraExplorer(Explore):
    """A slider for each adapter; the picture without and with them, and how much each block's output changes.

    pipe: a StableDiffusionPipeline with at least one LoRA in its U-Net, see models.load_lora. weights: the
    sliders' initial values, {name: weight}; None: all at 1. The pipeline keeps the weights that are set here.
    The change is measured at the first step, where both runs have the same input.
    """

    def __init__(self, pipe, prompt="a cat face on a blue background, contrast style", seed=0, steps=12,
                 guidance=GUIDANCE, weights=None):
        self.pipe = pipe
        self._settings = {"steps": steps, "guidance": guidance}
        self._base = None, None
        self.names = sorted(pipe.get_list_adapters().get("unet", ()))[:2]
        if not self.names:
            raise ValueError("This pipeline has no LoRA in its U-Net; put one in with models.load_lora.")
        given = weights or dict.fromkeys(self.names, 1.0)
        dials = {f"weight_{i}": dragged(given.get(name, 0.0), 0.0, MOST_WEIGHT, f"Weight of {name}", 0.05)
                 for i, name in enumerate(self.names)}
        super().__init__(self.compare, prompt=words(prompt, "Prompt"), seed=whole(seed, 0, MOST_SEED, "Seed"), **dials)

    def compare(self, prompt, seed, **dials):
        """Yield progress messages, then both pictures and the bars as a Picture."""
        weights = list(dials.values())
        asked = prompt, seed, version(self.pipe.unet, self.pipe.text_encoder)
        if self._base[0] != asked:
            self._base = asked, (yield from self.run(prompt, seed, [0.0] * len(weights)))
        image, trace = self._base[1]
        other, moved = yield from self.run(prompt, seed, weights)
        moved = changes(trace, moved)
        label = ", ".join(f"{name} {weight:g}" for name, weight in zip(self.names, weights))
        scale = max(EDGE // image.shape[-1], 1)
        yield adapted(small(image, EDGE), small(other, EDGE), ("base model", label),
                      [short(name) for name in moved], list(moved.values()), scale)
        yield cut(self.pipe.tokenizer, prompt)

    def run(self, prompt, seed, weights):
        """Run with these weights: return the picture (3, H, W), and the trace of all blocks at the first step."""
        inside = [name for name in blocks(self.pipe.unet) if "block" in name]
        with RUNNING:
            self.pipe.set_adapters(self.names, weights)
            with record(self.pipe.unet, *inside, at=0, inputs=False) as trace:
                for state in generate(self.pipe, prompt, seed=seed, **self._settings):
                    yield f"Step {state.i + 1} of {self._settings['steps']}"
            return decode(self.pipe, state.z_s)[0].float().cpu(), trace


def changes(before, after):
    """Return the relative change ||after - before|| / ||before|| of every block's output in its first call.

    before, after: Traces of the same blocks. Returns {name: change}: down, mid, up.
    """
    pairs = {n: (before.call(n).output.float(), after.call(n).output.float()) for n in sorted(before)}
    return {name: ((b - a).norm() / a.norm()).item() for name, (a, b) in pairs.items()}
