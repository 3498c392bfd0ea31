"""Extend the vocabulary of a trained model: more byte-pair merges and longer prompts, without losing what was learned.

A tokenizer trained from scratch would give every word another id, and text encoder and U-Net would have to be retrained.
Here the old merges come first, as before, and new ones only join what those leave apart.
"""

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from .build import TOKENS

if TYPE_CHECKING:
    from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer


def grow_tokenizer(tokenizer: "CLIPTokenizer", corpus: Iterable[str], size: int, least: int = 2) -> "CLIPTokenizer":
    """A CLIPTokenizer with all ids and merges of the given one, followed by more merges learned from sentences.

    corpus: iterable of str. size: maximum vocabulary size, e.g. 3072. least: minimum frequency of a pair to be
    merged, 1 or more. Sources: Sennrich et al. 2016 (byte-pair encoding); the new ids follow the old ones, <|endoftext|> too.
    """
    from transformers import CLIPTokenizer

    vocab, merges = bpe(tokenizer)
    words = segments(tokenizer, corpus)
    count = count_pairs(words)
    while len(vocab) < size and (pair := commonest(count, vocab, least)):
        vocab["".join(pair)] = len(vocab)
        merges.append(pair)
        merge(words, count, pair)
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=TOKENS)


def bpe(tokenizer):
    """The byte-pair encoding of a tokenizer: {token: id}, and its merges, a list of pairs (left, right) in order."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return dict(model["vocab"]), [tuple(pair) for pair in model["merges"]]


def segments(tokenizer, corpus):
    """{tokens of a word under the tokenizer, a tuple: its frequency in the corpus}; words of a single token are left out."""
    backend, count = tokenizer.backend_tokenizer, Counter()
    for sentence in corpus:
        text = backend.normalizer.normalize_str(sentence)
        count.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    words = Counter()
    for word, n in count.items():
        words[tuple(token.value for token in backend.model.tokenize(word))] += n
    return Counter({pieces: n for pieces, n in words.items() if len(pieces) > 1})


def count_pairs(words):
    """{pair of adjacent tokens: its frequency in the words of `segments`}"""
    count = Counter()
    for pieces, n in words.items():
        for pair in zip(pieces, pieces[1:]):
            count[pair] += n
    return count


def commonest(count, vocab, least):
    """The most frequent pair, ties broken alphabetically; None if no pair is frequent enough.

    A pair whose text already is a token is removed from the count: another merge produces it.
    """
    while (most := max(count.values(), default=0)) >= least:
        equals = [pair for pair, n in count.items() if n == most]
        if able := [pair for pair in equals if "".join(pair) not in vocab]:
            return min(able)
        for pair in equals:
            del count[pair]
    return None


def merge(words, count, pair):
    """Merge the pair wherever it occurs in the words, and recount the pairs of those words; both tables in place."""
    for pieces in [pieces for pieces in words if pair[0] in pieces and pair in zip(pieces, pieces[1:])]:
        n, new = words.pop(pieces), join(pieces, pair)
        count.subtract(count_pairs({pieces: n}))
        count.update(count_pairs({new: n}))
        if len(new) > 1:
            words[new] += n


def join(pieces, pair):
    """The tokens of a word, a tuple, with the pair merged from left to right: (a, b, c) and (b, c) give (a, bc)."""
    made = []
    for piece in pieces:
        if made and (made[-1], piece) == pair:
            made[-1] += piece
        else:
            made.append(piece)
    return tuple(made)


# ---------------------------------------------------------------- the text encoder


@torch.no_grad()
def grow_text_model(
    model: "CLIPTextModel | CLIPModel", old: "CLIPTokenizer", new: "CLIPTokenizer", tokens: int = TOKENS
) -> "CLIPTextModel | CLIPModel":
    """Extend a CLIPTextModel, or a CLIPModel's text encoder, to a larger tokenizer and longer prompts; in place.

    A new token's embedding starts as the mean of its pieces under the old tokenizer, a new position's as the last old one.
    Nothing changes for the old ids and positions: attention is causal, so later tokens do not affect earlier ones.
    Returns the model.
    """
    parts = embeddings(model)
    token, place = parts.token_embedding.weight, parts.position_embedding.weight
    rows, tokens = [token[ids].mean(0) for ids in pieces_of_new(old, new)], max(tokens, len(place))
    parts.token_embedding = table([*token, *rows], token)
    parts.position_embedding = table([*place, *[place[-1]] * (tokens - len(place))], place)
    parts.position_ids = torch.arange(tokens, device=place.device)[None]
    for config in text_configs(model):
        config.vocab_size, config.max_position_embeddings = len(token) + len(rows), tokens
    return model


def embeddings(model):
    """The module with the token and position embeddings of a CLIPTextModel or CLIPModel."""
    from transformers.models.clip.modeling_clip import CLIPTextEmbeddings

    return next(module for module in model.modules() if isinstance(module, CLIPTextEmbeddings))


def text_configs(model):
    """Every configuration in a model that describes a text encoder; a CLIPModel holds one in addition to the encoder's own."""
    found = [module.config for module in model.modules() if hasattr(module, "config")]
    found += [config.text_config for config in found if hasattr(config, "text_config")]
    return [config for config in found if hasattr(config, "vocab_size")]


def pieces_of_new(old, new):
    """For each id that only the new tokenizer has, in order: the old ids it consists of, a list of lists."""
    vocab, merges = bpe(new)
    made, known = {"".join(pair): pair for pair in merges}, len(old)

    def ids(token):
        return [vocab[token]] if vocab[token] < known else [i for part in made[token] for i in ids(part)]

    return [ids(token) for token, _ in sorted(vocab.items(), key=lambda item: item[1])[known:]]


def table(rows, like):
    """An embedding table of these rows (rows, width), trainable if the weight that it replaces is."""
    weight = torch.stack(rows).to(like)
    return torch.nn.Embedding.from_pretrained(weight, freeze=not like.requires_grad)
