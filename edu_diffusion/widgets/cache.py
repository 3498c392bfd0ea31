"""A cache: the U-Net's outputs, runs and pictures are computed once for the same input."""

import hashlib
import threading

from ..steps import decode, embed, generate

__all__ = ["Kept", "other_words"]

SMALL = 32 * 32  # cells of the largest latent that is decoded in advance
MOST = 2**28  # bytes of outputs in an explorer's cache; the oldest are dropped first
RUNS = 8  # complete runs in the cache


class StandIn:
    """A proxy with a few attributes replaced, and perhaps the call; everything else is the real object's."""

    def __init__(self, real, **instead):
        self.__dict__.update(instead, _real=real)

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)


class Kept:
    """A pipeline with a cache. The pipeline itself is not changed: its other users notice nothing.

    An output is found by the content of its input, so two runs with the same start share their first
    steps. It is not used after the weights have changed, for example by further training; a change that does not
    show in the weights, such as the scale of an adapter, needs `forget`.
    """

    def __init__(self, pipe, most=MOST):
        self.pipe = pipe
        self._most = most
        self._lock = threading.Lock()
        self.forget()

    def forget(self):
        """Clear the cache."""
        self._answers = {}
        self._runs = {}
        self._bytes = 0

    def view(self, words=None):
        """Return the pipeline for `generate`, with a U-Net whose outputs are cached.

        words: a function (t, c) -> c: the text embedding that the U-Net gets at timestep t in place of c.
        """
        unet = self.pipe.unet
        stamp = version(unet)

        def call(z_t, t, encoder_hidden_states, return_dict=False):
            c = words(t, encoder_hidden_states) if words else encoder_hidden_states
            key = "unet", stamp, int(t), content(z_t), content(c)
            return (self._answer(key, lambda: unet(z_t, t, encoder_hidden_states=c, return_dict=False)[0]),)

        return StandIn(self.pipe, unet=StandIn(unet, call=call))

    def run(self, prompt, words=None, name=(), **settings):
        """A generator that returns all States of `generate`, and yields a message at each new step.

        words: see `view`; name: identifies this function in the cache.
        """
        stamps = version(self.pipe.unet), version(self.pipe.text_encoder)
        key = prompt, name, stamps, *sorted(settings.items(), key=str)
        if key not in self._runs:
            states = []
            for state in generate(self.view(words), prompt, **settings):
                states.append(state)
                yield f"Step {len(states)} of {settings['steps']}"
            self._runs[key] = states
            self._runs = dict(list(self._runs.items())[-RUNS:])
        return self._runs[key]

    def embed(self, *prompts):
        """Return the text embedding of prompts, (B, tokens, width)."""
        key = "text", version(self.pipe.text_encoder), prompts
        return self._answer(key, lambda: embed(self.pipe, list(prompts)))

    def pictures(self, *latents):
        """Decode latents (1, 4, h, w), each only once: a list of pictures (3, H, W)."""
        stamp = version(self.pipe.vae)
        return [self._picture(stamp, z) for z in latents]

    def prepared(self, latents):
        """Decode in advance what a slider will need; a generator, so that it can be stopped after each latent.

        Only where this is fast: a large model's decoder needs seconds for a picture.
        """
        stamp = version(self.pipe.vae)
        for z in latents:
            if z.shape[-2] * z.shape[-1] <= SMALL:
                yield self._picture(stamp, z)

    def _picture(self, stamp, z):
        return self._answer(("vae", stamp, content(z)), lambda: decode(self.pipe, z)[0].cpu())

    def _answer(self, key, compute):
        answer = self._answers.get(key)
        if answer is None:
            answer = compute()
            with self._lock:
                self._answers[key] = answer
                self._bytes += answer.nbytes
                while self._bytes > self._most and len(self._answers) > 1:
                    self._bytes -= self._answers.pop(next(iter(self._answers))).nbytes
        return answer


def other_words(c_other, since=None):
    """Return a function for `view`: from timestep `since` on, or always, c_other (1, tokens, width) replaces the prompt's."""

    def words(t, c):
        if since is not None and t > since:
            return c
        c = c.clone()
        c[-1:] = c_other
        return c

    return words


def version(*models):
    """Return a value that changes with a model or its weights: torch counts the in-place changes of each tensor."""
    weights = [weight for model in models for weight in model.parameters()]
    changes = sum(0 if weight.is_inference() else weight._version for weight in weights)
    return *map(id, models), len(weights), changes


def content(x):
    """Return a hash of a tensor's content."""
    return hashlib.blake2b(x.detach().cpu().float().numpy().tobytes(), digest_size=16).digest(), str(x.dtype)
