"""Attention maps, recomputed from recorded queries and keys.

    with record_attention(pipe) as trace:
        pipe("a cat face on a blue background")
    spans = words(pipe.tokenizer, "a cat face on a blue background")
    maps = by_word(heat_maps(trace, size=64), spans)[1]  # 0: the negative prompt's; (words, 64, 64)

In cross-attention every position of the picture has a query (q), and every token of the prompt has a key (k). The
run itself uses a fast attention kernel that never stores these maps; recording does not change that.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

from .names import matching, modules
from .recording import Trace, record

__all__ = ["attention_maps", "cross_attention", "heat_maps", "record_attention", "resolutions"]

PROCESSORS = ("AttnProcessor", "AttnProcessor2_0", "SlicedAttnProcessor", "XFormersAttnProcessor")


def cross_attention(model: object) -> list[str]:
    """Return the names of the cross-attention modules; in Stable Diffusion all of them end in "attn2".

    model: a torch module or a diffusers pipeline. Each is a diffusers Attention.
    """
    return [name for name, attn in attentions(model).items() if attn.is_cross_attention]


def attentions(model):
    """Return {name: module} of all diffusers Attention modules, recognised by their attributes."""
    return {
        name: module
        for name, module in modules(model).items()
        if all(hasattr(module, needed) for needed in ("to_q", "to_k", "heads", "is_cross_attention"))
    }


@contextmanager
def record_attention(
    model: object, *names: str, at: int | Iterable[int] | None = None, dtype: torch.dtype | None = None
) -> Iterator[Trace]:
    """Record the queries and keys of attention modules: all that is needed to compute their maps later.

    names: of Attention modules, or patterns; none: all cross-attentions. For the other arguments see `record`.
    Yields a Trace. Raises ValueError for a name that no Attention has, and if there is no cross-attention.
    """
    found = attentions(model)
    names = matching(found, names) if names else cross_attention(model)
    if not names:
        raise ValueError(
            "This model has no cross-attention, so it does not attend to any text; give a U-Net that does, or a pipeline."
        )
    layers = [f"{name}.to_{x}" for name in names for x in "qk"]
    with record(model, *layers, at=at, dtype=dtype, inputs=False) as trace:
        handles = [notice(trace, name, found[name]) for name in names]
        try:
            yield trace
        finally:
            for handle in handles:
                handle.remove()


def notice(trace, name, attn):
    """Register a hook that notes when an attention is given a mask: then q and k do not determine its map."""

    def before(attn, args, kwargs=None):
        if kwargs is None:
            return  # another thread's call while the hook is being removed: torch then leaves kwargs out
        if kwargs.get("attention_mask") is not None or any(x is not None for x in args[2:3]):
            trace.masked.add(name)

    return attn.register_forward_pre_hook(before, with_kwargs=True)


def attention_maps(trace: Trace, name: str, call: int = 0) -> torch.Tensor:
    """Return the attention weights of every position of the picture over the tokens, for each head.

    softmax(q k^T / sqrt(d))

    trace: from record_attention. name: an Attention that it recorded. call: which of its calls, from 0.
    Returns (B, heads, h w, tokens), float32; the attention weights of each position add up to 1. With guidance the
    batch holds the negative prompts first, then the prompts.
    Raises ValueError for what was not recorded, and for an attention with a mask, norms of q and k, or a custom
    processor: its maps would be wrong.
    Source: Vaswani et al. 2017, eq. 1; Hertz et al. 2022 (prompt-to-prompt), section 3.
    Twin: diffusers.models.attention_processor.Attention.get_attention_scores.
    """
    attn = plain(trace, name)
    q, k = (trace.call(f"{name}.to_{x}", call).output.float() for x in "qk")  # type: ignore[union-attr]  # they return tensors
    q, k = (x.unflatten(2, (attn.heads, -1)).transpose(1, 2) for x in (q, k))  # (B, heads, N, d)
    return (q @ k.transpose(-2, -1) * attn.scale).softmax(dim=-1)


def plain(trace, name):
    """Return the Attention of that name, or raise ValueError if q and k do not determine its maps."""
    if f"{name}.to_q" not in trace.names or f"{name}.to_k" not in trace.names:
        recorded = ", ".join(recorded_attentions(trace)) or "none; use record_attention"
        raise ValueError(f"The trace has no q and k of {name!r}; it has those of {recorded}.")
    attn = trace.modules[name]
    processor, norms = type(attn.processor).__name__, [attn.norm_q, attn.norm_k]
    if name in trace.masked or processor not in PROCESSORS or any(norm is not None for norm in norms):
        raise ValueError(
            f"The maps of {name} cannot be computed from q and k: it has a mask, norms of q and k, or "
            f"a custom processor ({processor}); supported are {', '.join(PROCESSORS)}."
        )
    return attn


def recorded_attentions(trace):
    """Return the names of the attentions whose q and k are in a trace, in order."""
    names = [name.removesuffix(".to_q") for name in trace.names if name.endswith(".to_q")]
    return [name for name in names if f"{name}.to_k" in trace.names]


def resolutions(trace: Trace, size: int | tuple[int, int] = 1) -> dict[str, tuple[int, int]]:
    """Return {name: (h, w)}: the resolution of each recorded attention.

    size: the picture's, one number if it is square, else (H, W); only the ratio matters.
    Raises ValueError for an attention that was not called.
    """
    found = {}
    for name in recorded_attentions(trace):
        asked = f"{name}.to_q"
        first = trace.call(asked, min(trace[asked], default=0))
        found[name] = grid(first.output.shape[1], pair(size))  # type: ignore[union-attr]  # to_q returns a tensor
    return found


def pair(size):
    """Return (H, W) for a size that may be one number."""
    if isinstance(size, int):
        both = (size, size)
    else:
        both = tuple(size) if hasattr(size, "__iter__") else ()
    if len(both) != 2 or not all(isinstance(n, int) and n > 0 for n in both):
        raise ValueError(f"size is {size!r}; it must be a whole number from 1, or two, (H, W).")
    return both


def grid(positions, size):
    """Return the (h, w) with h w = positions whose aspect ratio is closest to the picture's."""
    wide = [n for n in range(1, positions + 1) if positions % n == 0]
    h = min(wide, key=lambda h: abs(math.log(h * h / positions * size[1] / size[0])))
    return h, positions // h


def heat_maps(
    trace: Trace,
    size: int | tuple[int, int],
    *,
    names: str | Iterable[str] | None = None,
    calls: int | Sequence[int] | None = None,
    head: int | None = None,
) -> torch.Tensor:
    """Average the attention maps over layers, steps and heads, enlarged to the picture's size.

    mean over names and calls of enlarge(mean over heads of attention_maps(trace, name, call))

    trace: from record_attention. size: the picture's, one number or (H, W). names: which attentions, such as
    those of one of the `resolutions`; None is all cross-attentions. calls: one number, or a list; None is
    all recorded. head: one head alone; None is the mean. Enlarged linearly: the weights still add up to 1.
    Returns (B, tokens, H, W), float32. Raises ValueError for what was not recorded.
    Source: Tang et al. 2023 (DAAM), section 2, which adds where this averages.
    """
    size = pair(size)
    names = chosen(trace, names)
    total: Any = 0  # then a tensor
    for name in names:
        maps = mean_maps(trace, name, calls, head).transpose(1, 2)  # (B, tokens, h w)
        if torch.is_tensor(total) and total.shape[1] != maps.shape[1]:
            raise ValueError(
                "These attentions have different numbers of tokens, so there is no mean; "
                "self-attention has one for each position: choose those of one resolution."
            )
        maps = maps.unflatten(2, grid(maps.shape[2], size))
        total = total + F.interpolate(maps, size=size, mode="bilinear")
    return total / len(names)


def chosen(trace, names):
    """Return the names as a list; None is all cross-attentions. Raises ValueError if there are none."""
    if names is None:
        names = [name for name in recorded_attentions(trace) if trace.modules[name].is_cross_attention]
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise ValueError("There is no attention to take maps from; name some that record_attention recorded.")
    return names


def mean_maps(trace, name, calls, head):
    """Return the mean over calls, and over heads unless one is chosen: (B, h w, tokens)."""
    heads = plain(trace, name).heads
    if head is not None and head not in range(heads):
        raise ValueError(f"head is {head!r}; {name} has the heads 0 to {heads - 1}, and None is their mean.")
    if calls is None:
        calls = trace[f"{name}.to_q"]
    elif isinstance(calls, int):
        calls = [calls]
    if not len(calls):
        raise ValueError(f"There are no calls of {name} to take maps from; give the numbers of some.")
    total = 0
    for call in calls:
        maps = attention_maps(trace, name, call)
        total = total + (maps.mean(1) if head is None else maps[:, head])
    return total / len(calls)
