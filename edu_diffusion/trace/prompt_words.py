"""The words of a prompt and their tokens."""

from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["by_word", "words"]


def words(tokenizer: Any, prompt: str) -> list[tuple[str, list[int]]]:
    """Return [(word, [positions of its tokens]), ...]: a rare word has several tokens.

    The first is "<start>", the last "<end>", which includes all the padding: together they cover all tokens.
    tokenizer: a pipeline's CLIPTokenizer. prompt: one string.
    """
    ids = tokenizer(prompt, padding="max_length", truncation=True).input_ids
    end = ids.index(tokenizer.eos_token_id)
    spans, span = [("<start>", [0])], []
    for i, piece in enumerate(tokenizer.convert_ids_to_tokens(ids[1:end]), 1):
        span.append(i)
        if piece.endswith("</w>") or i + 1 == end:
            spans.append((tokenizer.decode(ids[span[0] : i + 1]).strip(), span))
            span = []
    return [*spans, ("<end>", list(range(end, len(ids))))]


def by_word(maps: torch.Tensor, spans: Sequence[tuple[str, list[int]]]) -> torch.Tensor:
    """Add up the maps of each word's tokens.

    maps: (B, tokens, H, W), from heat_maps. spans: from `words`. Returns (B, words, H, W).
    """
    return torch.stack([maps[:, span].sum(1) for _, span in spans], dim=1)
