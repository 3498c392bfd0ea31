"""A pipeline with caches: the U-Net's outputs, complete runs and decoded pictures are computed once."""

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from ..steps import decode, embed, generate
from ..steps.text_to_image import State
from .cache import Cache
from .hints import Messages, Pipeline, Tensor
from .progress import all_states

__all__ = ["CachedRuns", "other_words"]

SMALL = 32 * 32  # cells of the largest latent that is decoded in advance
MOST = 2**28  # bytes of the tensors that are stored for an explorer
RUNS = 8  # complete runs that are stored
Words = Callable[[int, Tensor], Tensor]  # see CachedRuns.view


class StandIn:
    """A proxy with a few attributes replaced, and perhaps the call; everything else is the real object's."""

    def __init__(self, real: Any, **instead: Any) -> None:
        self.__dict__.update(instead, _real=real)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


class CachedRuns:
    """Runs of a pipeline, cached. The pipeline itself is not changed: its other users notice nothing.

    The U-Net's outputs are found by the content of its input, so two runs with the same start share their first
    steps. Nothing is used after the weights have changed, for example by further training; see Cache.
    """

    def __init__(self, pipe: Pipeline, most: int = MOST) -> None:
        self.pipe = pipe
        self._tensors = Cache(most, size=attrgetter("nbytes"))
        self._runs = Cache(RUNS)

    def forget(self) -> None:
        """Clear the caches."""
        self._tensors.forget()
        self._runs.forget()

    def view(self, words: Words | None = None) -> StandIn:
        """Return the pipeline for `generate`, with a U-Net whose outputs are cached.

        words: a function (t, c) -> c: the text embedding that the U-Net gets at timestep t in place of c.
        """
        unet = self.pipe.unet

        def call(z_t, t, encoder_hidden_states, return_dict=False, added_cond_kwargs=None):
            c, added = words(t, encoder_hidden_states) if words else encoder_hidden_states, added_cond_kwargs or {}
            more = {"added_cond_kwargs": added} if added else {}  # Stable Diffusion XL's
            predict = lambda: unet(z_t, t, encoder_hidden_states=c, return_dict=False, **more)[0]
            return (self._tensors.get(("unet", int(t), *map(content, (z_t, c, *added.values()))), predict, unet),)

        return StandIn(self.pipe, unet=StandIn(unet, call=call))

    def run(self, prompt: str, words: Words | None = None, name: Hashable = (), **settings: Any) -> Messages[list[State]]:
        """A generator that returns all States of `generate`, and yields a message at each new step.

        words: see `view`; name: identifies this function in the cache.
        """
        question = prompt, name, *sorted(settings.items(), key=str)
        loop = lambda: all_states(generate(self.view(words), prompt, **settings), settings["steps"])
        return self._runs.ask(question, loop, self.pipe.unet, self.pipe.text_encoder)

    def embed(self, *prompts: str) -> Tensor:
        """Return the text embedding of prompts, (B, tokens, width)."""
        return self._tensors.get(("text", prompts), lambda: embed(self.pipe, list(prompts)), self.pipe.text_encoder)

    def pictures(self, *latents: Tensor) -> list[Tensor]:
        """Decode latents (1, 4, h, w), each only once: a list of pictures (3, H, W)."""
        return [self._picture(z) for z in latents]

    def prepared(self, latents: Iterable[Tensor]) -> Iterator[Tensor]:
        """Decode in advance what a slider will need; a generator, so that it can be stopped after each latent.

        Only where this is fast: a large model's decoder needs seconds for a picture.
        """
        for z in latents:
            if z.shape[-2] * z.shape[-1] <= SMALL:
                yield self._picture(z)

    def _picture(self, z):
        return self._tensors.get(("vae", content(z)), lambda: decode(self.pipe, z)[0].cpu(), self.pipe.vae)


def other_words(c_other: Tensor, since: int | None = None) -> Words:
    """Return a function for `view`: from timestep `since` on, or always, c_other (1, tokens, width) replaces the prompt's."""

    def words(t, c):
        if since is not None and t > since:
            return c
        c = c.clone()
        c[-1:] = c_other
        return c

    return words


def content(x: Tensor) -> tuple[bytes, str]:
    """Return a hash of a tensor's content."""
    return hashlib.blake2b(x.detach().cpu().float().numpy().tobytes(), digest_size=16).digest(), str(x.dtype)
