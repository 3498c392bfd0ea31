"""What was computed is not computed again: the U-Net's answers, runs and pictures, by what was asked."""

import hashlib
import threading

from ..steps import decode, embed, generate

__all__ = ["Kept", "other_words"]

SMALL = 32 * 32  # cells of a latent that is decoded before anybody asks
MOST = 2**28  # bytes of answers that an explorer keeps; the oldest go first
RUNS = 8  # runs that it keeps whole


class StandIn:
    """Something with a few attributes replaced, and perhaps the call; all else is its own."""

    def __init__(self, real, **instead):
        self.__dict__.update(instead, _real=real)

    def __getattr__(self, name):
        return getattr(self._real, name)

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)


class Kept:
    """A pipeline whose answers are kept. The pipeline itself is not touched: its other users notice nothing.

    An answer is found again by the content of what was asked, so two runs that begin alike share their first
    steps. It is not used after the weights have changed, by training on, say; what cannot be told from the
    weights, such as the scale of an adapter, needs `forget`.
    """

    def __init__(self, pipe, most=MOST):
        self.pipe, self._most, self._lock = pipe, most, threading.Lock()
        self.forget()

    def forget(self):
        """Drop everything."""
        self._answers, self._runs, self._bytes = {}, {}, 0

    def view(self, words=None):
        """The pipeline for `generate`, with a U-Net that keeps its answers.

        words: a function (t, c) -> c: the text embedding that the U-Net is given at level t in place of c.
        """
        unet = self.pipe.unet
        stamp = version(unet)

        def call(z_t, t, encoder_hidden_states, return_dict=False):
            c = words(t, encoder_hidden_states) if words else encoder_hidden_states
            key = "unet", stamp, int(t), content(z_t), content(c)
            return (self._answer(key, lambda: unet(z_t, t, encoder_hidden_states=c, return_dict=False)[0]),)

        return StandIn(self.pipe, unet=StandIn(unet, call=call))

    def run(self, prompt, words=None, name=(), **settings):
        """A generator that returns all States of `generate`, and yields a sentence at each step that is new.

        words: see `view`; name: what tells this function from others.
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
        """The text embedding of prompts, (B, tokens, width)."""
        key = "text", version(self.pipe.text_encoder), prompts
        return self._answer(key, lambda: embed(self.pipe, list(prompts)))

    def pictures(self, *latents):
        """Decode latents (1, 4, h, w), each only once: a list of pictures (3, H, W)."""
        stamp = version(self.pipe.vae)
        return [self._picture(stamp, z) for z in latents]

    def prepared(self, latents):
        """Decode what a slider will ask for next; a generator, so that it can be stopped after each one.

        Only where it takes no time: a large model's decoder needs seconds for a picture.
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
    """A function for `view`: from level `since` on, or always, c_other (1, tokens, width) is the prompt's."""

    def words(t, c):
        if since is not None and t > since:
            return c
        c = c.clone()
        c[-1:] = c_other
        return c

    return words


def version(*models):
    """What changes when a model is replaced or its weights are: torch counts the changes of each tensor."""
    weights = [weight for model in models for weight in model.parameters()]
    changes = sum(0 if weight.is_inference() else weight._version for weight in weights)
    return *map(id, models), len(weights), changes


def content(x):
    """A short number for what is in a tensor."""
    return hashlib.blake2b(x.detach().cpu().float().numpy().tobytes(), digest_size=16).digest(), str(x.dtype)
