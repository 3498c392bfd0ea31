"""Hypernetworks, as users of Stable Diffusion call them: small networks that change the input of attention.

Cross-attention computes its keys and values from the text embedding. A hypernetwork changes this embedding first,
with one network for the keys and one for the values; the U-Net itself stays as it is. (In Ha et al. 2017 the name
means something else: a network that generates the weights of another.)

`networks`: {width: (for the keys, for the values)}, torch modules from (..., width) to the same. An attention
module uses those for the width of its context. In Stable Diffusion 1 that is 768 for the text.
"""

from contextlib import contextmanager

from .attention import multi_head_attention, split_heads
from .processors import crossed, processed

__all__ = ["HyperProcessor", "hyper", "hyper_attend", "with_hypernetwork"]


def hyper(network, x, strength=1.0):
    """Add a network's output for x to x: a residual.

    x + strength network(x)

    network: a torch module. x: (..., width). strength: 0 changes nothing. Returns (..., width).
    Source: NovelAI 2022 (blog on improvements of Stable Diffusion), section on hypernetworks; no paper.
    Twin: torch.nn.Module.__call__ of the network, added to x as in He et al. 2016, eq. 1.
    """
    return x + strength * network(x)


def hyper_attend(attn, x, c=None, networks=None, strength=1.0):
    """Attend to c after one network has changed it for the keys and another for the values.

    out(attention(q, k, v)), with k = to_k(c + strength f(c)) and v = to_v(c + strength g(c))

    attn: diffusers' Attention. x: (B, N, width). c: (B, M, width of c); None is x. networks: see above; if
    there are none for the width of c, this is plain attention. Returns (B, N, width).
    Source: NovelAI 2022, as in `hyper`. Twin: diffusers.models.attention_processor.Attention.forward.
    """
    c = x if c is None else c
    f, g = (networks or {}).get(c.shape[-1], (None, None))
    ck, cv = c if f is None else hyper(f, c, strength), c if g is None else hyper(g, c, strength)
    q, k, v = (split_heads(y, attn.heads) for y in (attn.to_q(x), attn.to_k(ck), attn.to_v(cv)))
    linear, dropout = attn.to_out
    return dropout(linear(multi_head_attention(q, k, v).transpose(1, 2).flatten(2)))


class HyperProcessor:
    """An attention processor that runs `hyper_attend`; with strength 0 the previous processor is used."""

    def __init__(self, before, networks, strength=1.0):
        self.before = before
        self.networks = networks
        self.strength = strength

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None,
                 **more):
        if self.strength == 0:
            return self.before(attn, hidden_states, encoder_hidden_states, attention_mask, temb, **more)
        return hyper_attend(attn, hidden_states, encoder_hidden_states, self.networks, self.strength)


@contextmanager
def with_hypernetwork(unet, networks, strength=1.0, itself=False):
    """Give a U-Net a hypernetwork inside the `with` block: for `generate`, or for the library's own pipeline.

    unet: diffusers' UNet2DConditionModel. networks: see above. strength: a number; 0 is the base model, bit for
    bit. itself: whether self-attention is changed too, if there are networks for its widths. Yields the
    U-Net. Raises ValueError for an attention module that `attend` does not support. Source: NovelAI 2022, as
    in `hyper`. Twin: diffusers.UNet2DConditionModel.set_attn_processor.
    """
    with processed(unet, lambda name, old: HyperProcessor(old, networks, strength)
                   if itself or crossed(name) else None):
        yield unet
