"""ControlNet: a condition beside the picture, and controls for its weight and the steps in which it is active."""

from typing import Any

from ..data import conditions
from ..figures.control import controlled
from ..steps import GUIDANCE, Control, decode, generate
from .cached_runs import CachedRuns
from .controls import choice, number, seeds, words
from .explore import Explore
from .hints import Drawing, Module, Pipeline, Tensor
from .messages import cut
from .progress import all_states

__all__ = ["ControlExplorer", "as_condition"]

MOST_WEIGHT = 2.0


class ControlExplorer(Explore):
    """Choose a condition, its weight, and the fraction of the steps in which it is active; see the picture.

    pipe: a StableDiffusionPipeline. nets: {kind: ControlNetModel}, a kind being one of data.conditions.KINDS; or one
    net, for "canny". shown: {name: condition}, or one: a tensor (1, 3, H, W) in [0, 1] that the net receives as it
    is, or anything with such a tensor as its .image, such as a drawing pad; it is read again for each picture, and
    drawing on a pad regenerates the picture. The other arguments are the controls' initial values.
    """

    def __init__(
        self,
        pipe: Pipeline,
        nets: dict[str, Module] | Module,
        shown: dict[str, Any] | Any,
        prompt: str = "a cat face on a blue background",
        seed: int = 0,
        steps: int = 10,
        guidance: float = GUIDANCE,
        weight: float = 1.0,
        start: float = 0.0,
        end: float = 1.0,
        kind: str | None = None,
    ) -> None:
        self.runs = CachedRuns(pipe)
        self._settings: dict[str, Any] = {"steps": steps, "guidance": guidance}
        self.nets = nets if isinstance(nets, dict) else {"canny": nets}
        self.shown = shown if isinstance(shown, dict) else {"sketch": shown}
        for name in self.nets:
            conditions.known(name)
        super().__init__(
            self.compare,
            button="Draw",
            prompt=words(prompt, "Prompt"),
            seed=seeds(seed),
            kind=choice(self.nets, kind or next(iter(self.nets)), "ControlNet"),
            shown=choice(self.shown, next(iter(self.shown)), "Condition"),
            weight=number(weight, 0, MOST_WEIGHT, 0.1, "Weight"),
            start=number(start, 0, 0.9, 0.1, "Start (fraction)"),
            end=number(end, 0.1, 1, 0.1, "End (fraction of steps)"),
        )
        for pad in self.shown.values():
            if hasattr(pad, "image") and hasattr(pad, "observe"):
                pad.observe(lambda _: self.again(), "drawn")

    def again(self) -> None:
        """Draw the same values once more: a drawing that they refer to may have changed."""
        self._shown = None
        self._request(None)

    def compare(self, prompt: str, seed: int, kind: str, shown: str, weight: float, start: float, end: float) -> Drawing:
        """Yield progress messages, then condition and pictures as a Picture."""
        pipe, condition = self.runs.pipe, as_condition(self.shown[shown])
        control = Control(self.nets[kind], condition, weight, start, end)
        settings = {"seed": seed, **self._settings}
        plain = yield from self.runs.run(prompt, **settings)
        loop = generate(pipe, prompt, control=control, **settings)
        states = yield from all_states(loop, settings["steps"], "With the condition")
        (without,) = self.runs.pictures(plain[-1].z_s)
        image = decode(pipe, states[-1].z_s)[0].float().cpu()
        title = f'"{prompt}", seed {seed}; {kind} from {shown}, weight {weight:g}, steps {start:.0%} to {end:.0%}.'
        yield controlled(condition[0], without.float(), image, title, scale=max(256 // image.shape[-1], 1))
        yield cut(pipe.tokenizer, prompt)


def as_condition(sketch: Any) -> Tensor:
    """Return a condition (1, 3, H, W) in [0, 1] from a tensor, or from anything that has one as its .image.

    Conditions are bright on black. A drawing on bright paper is inverted.
    """
    image = getattr(sketch, "image", sketch)
    if getattr(image, "ndim", 0) != 4 or tuple(image.shape[:2]) != (1, 3):
        raise ValueError(
            f"The condition is {tuple(getattr(image, 'shape', ())) or type(image).__name__}; it must be a "
            "tensor (1, 3, height, width) in [0, 1], or something with one as its .image."
        )
    return 1 - image if image.float().mean() > 0.5 else image
