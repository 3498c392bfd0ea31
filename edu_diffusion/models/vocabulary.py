"""More words for a model that is already trained: further byte-pair merges, longer prompts, and what is learned stays.

A tokenizer trained anew would give every word another number, and text encoder and U-Net would have to start again.
Here old merges come first, as they always did, and new ones only join what those have left apart.
"""

import json
from collections import Counter

import torch

from .build import TOKENS


def grow_tokenizer(tokenizer, corpus, size, least=2):
    """A CLIPTokenizer with all ids and merges of this one and more merges after them, learned from sentences.

    corpus: iterable of str. size: ids in the new one at most, e.g. 3072. least: how often a pair must occur to be
    joined, 1 or more. Sources: Sennrich et al. 2016 (byte-pair encoding); the new ids follow the old ones, <|endoftext|> too.
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
    """The byte-pair model of a tokenizer: {token: id}, and its merges, a list of pairs (left, right), first to last."""
    model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
    return dict(model["vocab"]), [tuple(pair) for pair in model["merges"]]


def segments(tokenizer, corpus):
    """{pieces of a word under the tokenizer, a tuple: how often the corpus has it}; words that are one piece are left out."""
    backend, count = tokenizer.backend_tokenizer, Counter()
    for sentence in corpus:
        text = backend.normalizer.normalize_str(sentence)
        count.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text))
    words = Counter()
    for word, n in count.items():
        words[tuple(token.value for token in backend.model.tokenize(word))] += n
    return Counter({pieces: n for pieces, n in words.items() if len(pieces) > 1})


def count_pairs(words):
    """{pair of neighbours: how often the words of `segments` have it}"""
    count = Counter()
    for pieces, n in words.items():
        for pair in zip(pieces, pieces[1:]):
            count[pair] += n
    return count


def commonest(count, vocab, least):
    """The pair that occurs most often, of equals the first by text; None if no pair occurs so often.

    A pair whose text is a token already is taken out of the count: another merge makes that one.
    """
    while (most := max(count.values(), default=0)) >= least:
        equals = [pair for pair, n in count.items() if n == most]
        if able := [pair for pair in equals if "".join(pair) not in vocab]:
            return min(able)
        for pair in equals:
            del count[pair]
    return None


def merge(words, count, pair):
    """Make that pair one piece wherever it stands in the words, and count the pairs of those anew; both tables in place."""
    for pieces in [pieces for pieces in words if pair[0] in pieces and pair in zip(pieces, pieces[1:])]:
        n, new = words.pop(pieces), join(pieces, pair)
        count.subtract(count_pairs({pieces: n}))
        count.update(count_pairs({new: n}))
        if len(new) > 1:
            words[new] += n


def join(pieces, pair):
    """The pieces of a word, a tuple, with the pair made one from left to right: (a, b, c) and (b, c) give (a, bc)."""
    made = []
    for piece in pieces:
        if made and (made[-1], piece) == pair:
            made[-1] += piece
        else:
            made.append(piece)
    return tuple(made)


# ---------------------------------------------------------------- the text encoder

@torch.no_grad()
def grow_text_model(model, old, new, tokens=TOKENS):
    """Let a CLIPTextModel, or a CLIPModel's text tower, read a grown tokenizer's ids and longer prompts; in place.

    A new token starts as the mean of its pieces under the old tokenizer, a new position as the last of the old ones.
    Nothing changes for ids and positions that were there: attention is causal, so what follows does not reach back.
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
    """The module with token and position embeddings of a CLIPTextModel or CLIPModel."""
    from transformers.models.clip.modeling_clip import CLIPTextEmbeddings
    return next(module for module in model.modules() if isinstance(module, CLIPTextEmbeddings))


def text_configs(model):
    """Every configuration in a model that describes a text tower; a CLIPModel has one inside its own besides the tower's."""
    found = [module.config for module in model.modules() if hasattr(module, "config")]
    found += [config.text_config for config in found if hasattr(config, "text_config")]
    return [config for config in found if hasattr(config, "vocab_size")]


def pieces_of_new(old, new):
    """For each id that only the new tokenizer has, in order: the old ids it is made of, a list of lists."""
    vocab, merges = bpe(new)
    made, known = {"".join(pair): pair for pair in merges}, len(old)

    def ids(token):
        return [vocab[token]] if vocab[token] < known else [i for part in made[token] for i in ids(part)]
    return [ids(token) for token, _ in sorted(vocab.items(), key=lambda item: item[1])[known:]]


def table(rows, like):
    """An embedding table of these rows (rows, width), trainable like the weight it takes the place of."""
    weight = torch.stack(rows).to(like)
    return torch.nn.Embedding.from_pretrained(weight, freeze=not like.requires_grad)
