"""Image editing: strength, prompt, seed, and a mask to paint; the picture before, with noise, and after."""

import os
from collections.abc import Mapping
from typing import Any

from ..data import pixels, scenes
from ..data.pictures import read_picture
from ..errors import EduError
from ..figures import edited, row
from ..steps import GUIDANCE, STEPS, decode, expand_canvas, img2img, inpaint, paste
from .cache import Cache, networks
from .controls import choice, dragged, number, reveal, seeds, whole, words
from .explore import Explore
from .hints import Drawing, Messages, Pipeline, Tensor
from .images import edge, resized
from .messages import cut
from .pad import Pad
from .progress import all_states

__all__ = ["EditExplorer"]

WHOLE, PAINTED, WIDER = "the whole picture", "what is painted", "a wider canvas"
RUNS = 16  # that are stored
SCENE = 29


class EditExplorer(Explore):
    """Change the whole picture, only what is painted over, or what lies beyond its edges.

    pipe: a StableDiffusionPipeline. picture: (3, H, W) or (1, 3, H, W) in [-1, 1], the path of a file, or
    None for a scene. way: what is changed at first, one of WHOLE, PAINTED, WIDER. mask: (1, 1, H, W), the initial
    mask, or None; `pad` is the drawing surface. The other arguments are the controls' initial values.
    """

    def __init__(
        self,
        pipe: Pipeline,
        picture: Tensor | str | os.PathLike | None = None,
        prompt: str = "a dog face on a red background",
        strength: float = 0.6,
        seed: int = 0,
        steps: int = STEPS,
        guidance: float = GUIDANCE,
        way: str = WHOLE,
        mask: Tensor | None = None,
    ) -> None:
        self.pipe = pipe
        self.size = edge(pipe)
        self._runs = Cache(RUNS)
        self.picture_0 = collected(picture, self.size)
        self.pad = Pad((self.picture_0 + 1) / 2, self.size, opacity=0.6, label="Paint the area to be regenerated")
        if mask is not None:
            self.pad.mask = mask
        super().__init__(
            self.edit,
            way=choice((WHOLE, PAINTED, WIDER), way, "Change"),
            prompt=words(prompt, "Prompt"),
            strength=dragged(strength, 0.05, 1.0, "Strength", 0.05),
            seed=seeds(seed),
            steps=whole(steps, 1, 100, "Steps"),
            guidance=number(guidance, 0, 30, 0.5, "Guidance"),
        )
        self.children: list = [self.children[0], self.pad, *self.children[1:]]
        self.pad.observe(self._request, "drawn")
        self.controls["way"].observe(lambda _: self._reveal(), "value")
        self._reveal()

    @property
    def values(self) -> dict[str, Any]:
        """The current values of the controls, by name, and the painted mask."""
        return {**super().values, "drawn": self.pad.drawn}

    def _reveal(self):
        """Show the drawing surface when it is used."""
        reveal({PAINTED: self.pad}, [self.controls["way"].value])

    def edit(self, way: str, prompt: str, drawn: bytes, **settings: Any) -> Drawing:
        """Yield progress messages, then the picture before, with noise and after as a Picture."""
        if way == PAINTED and not any(drawn):
            note = "Paint over the area to be regenerated."
            yield row(self.picture_0, ["the picture"], f"The picture. {note}", scale=max(256 // self.size, 1))
            yield note
            return
        x_0, mask = self.canvas(way, drawn)
        question = way, prompt, drawn if way == PAINTED else None, *settings.values()
        noised, after, t = yield from self._runs.ask(question, lambda: self.run(prompt, x_0, mask, settings), *networks(self.pipe))
        done = f'{way[0].upper()}{way[1:]}, "{prompt}", strength {settings["strength"]:g}, seed {settings["seed"]}.'
        inside = None if mask is None else mask[0, 0]
        yield edited(x_0[0], noised[0], after[0], done, inside, f"noisy, t = {t}")
        yield cut(self.pipe.tokenizer, prompt)

    def canvas(self, way: str, drawn: bytes) -> tuple[Tensor, Tensor | None]:
        """Return the picture to be edited, and the mask of the area to be regenerated, or None."""
        if way == WIDER:
            return expand_canvas(self.picture_0, left=self.size // 4, right=self.size // 4)
        painted = (pixels.from_bytes(drawn, self.size, 1) > 0).float() if way == PAINTED else None
        return self.picture_0, painted

    def run(
        self, prompt: str, x_0: Tensor, mask: Tensor | None, settings: Mapping[str, Any]
    ) -> Messages[tuple[Tensor, Tensor, int]]:
        """Return the start and the result of the sampling loop, and its first timestep."""
        loop = img2img(self.pipe, prompt, x_0, **settings) if mask is None else inpaint(self.pipe, prompt, x_0, mask, **settings)
        states = yield from all_states(loop, int(settings["steps"] * settings["strength"]))
        noised, after = (decode(self.pipe, z).cpu().float() for z in (states[0].z_t, states[-1].z_s))
        return noised, after if mask is None else paste(x_0, after, mask), states[0].t


def collected(picture, size):
    """Return a picture (1, 3, size, size). Raises EduError for anything else."""
    if picture is None:
        return resized(scenes.batch(1, seed=SCENE, plain=True).images, size)
    if isinstance(picture, (str, bytes)) or hasattr(picture, "__fspath__"):
        return read_picture(picture, size)
    x = picture[None] if getattr(picture, "ndim", 0) == 3 else picture
    if getattr(x, "ndim", 0) != 4 or tuple(x.shape[:2]) != (1, 3):
        raise EduError(f"The picture has the shape {tuple(getattr(x, 'shape', ()))}; it must be (3, height, width), in [-1, 1].")
    return resized(x.detach().cpu().float(), size)
