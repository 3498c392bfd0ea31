"""CLIP similarities: captions and pictures, nearest neighbours, a caption token by token, a swapped word."""

from collections.abc import Iterable

from ..figures.clip import caption_growth, caption_neighbours, similarity_map, swapped_word
from ..steps.text import in_use
from .cache import Cache
from .controls import choice, whole, words
from .explore import Explore
from .hints import Module, Tensor, Tokenizer
from .messages import cut

__all__ = ["ClipExplorer"]

PAIRS, NEAR, GROWS, SWAPS = VIEWS = ["all pairs", "neighbours of the caption", "token by token", "a word swapped"]
NEAREST = 7  # pictures and captions shown
TYPED = 200  # captions typed in, and other results, that are stored


class ClipExplorer(Explore):
    """Captions and pictures, each encoded by CLIP once; a typed caption is encoded once, too.

    "all pairs": a similarity map. "neighbours of the caption": the pictures and captions nearest to the typed
    one. "token by token": its similarity to the picture as it grows. "a word swapped": the effect of replacing
    "Word" by "Becomes".

    clip: a transformers CLIPModel. tokenizer: its CLIPTokenizer. captions: N strings. images: (N, 3, H, W) in
    [-1, 1], image i being that of caption i. pixels: the model's input for them, if it needs
    another size or normalisation, as a real CLIP does: its image processor's pixel_values; None: the images.
    caption, word, becomes: the controls' initial values; None: the first caption, and a word by which it
    differs from a similar caption. Raises ValueError if the numbers of captions and pictures differ.
    """

    def __init__(
        self,
        clip: Module,
        tokenizer: Tokenizer,
        captions: Iterable[str],
        images: Tensor,
        pixels: Tensor | None = None,
        view: str = PAIRS,
        caption: str | None = None,
        word: str | None = None,
        becomes: str | None = None,
    ) -> None:
        pairs = Pairs(clip, tokenizer, list(captions), images, images if pixels is None else pixels)
        caption = pairs.captions[0] if caption is None else caption
        first, second = differing(caption, pairs.captions)
        super().__init__(
            pairs.draw,
            view=choice(VIEWS, view, "Show"),
            caption=words(caption, "Caption"),
            number=whole(1, 1, len(images), "Picture"),
            word=words(first if word is None else word, "Word", "200px"),
            becomes=words(second if becomes is None else becomes, "Becomes", "200px"),
        )


class Pairs:
    """Captions, pictures, and their normalised embeddings from both encoders."""

    def __init__(self, clip, tokenizer, captions, images, pixels):
        if not len(captions) == len(images) == len(pixels) or not captions:
            raise ValueError(
                f"There are {len(captions)} captions, {len(images)} images and {len(pixels)} "
                "pixels; give one of each for every pair, and at least one pair."
            )
        self.clip = clip
        self.tokenizer = tokenizer
        self.captions = captions
        self.images = images
        self._pixels = pixels
        self._texts = Cache(len(captions) + TYPED)  # by caption
        self._results = Cache(TYPED)

    def draw(self, view, caption, number, word, becomes):
        """Yield the Picture, and a sentence if the caption is truncated."""
        yield self.picture(view, caption, number, word, becomes)
        yield "" if view == PAIRS else cut(self.tokenizer, caption)

    def picture(self, view, caption, number, word, becomes):
        """Return the Picture of a view."""
        if view == PAIRS:
            return self.table()
        if view == NEAR:
            return self.neighbours(caption)
        if view == GROWS:
            pieces, texts = self.growing(caption)
            return caption_growth(pieces, texts @ self.pictures().T, self.images, number - 1)
        other = swapped(caption, word, becomes)
        before, after = self.texts([caption, other]) @ self.pictures().T
        return swapped_word(caption, other, self.images, before, after)

    def table(self):
        """Return the similarity map, drawn once: it has many numbers, and no control changes it."""
        cosines = lambda: self.texts(self.captions) @ self.pictures().T
        return self._results.get("table", lambda: similarity_map(cosines(), self.captions, self.images), self.clip)

    def neighbours(self, caption):
        """Return the pictures and the other captions nearest to a caption."""
        own = self.texts([caption])[0]
        near = (self.pictures() @ own).sort(descending=True)
        others = list(dict.fromkeys(c for c in self.captions if c != caption))
        like = (self.texts(others) @ own).sort(descending=True) if others else ([], [])
        return caption_neighbours(
            caption,
            self.images[near[1][:NEAREST].tolist()],
            near[0][:NEAREST],
            [others[i] for i in like[1][:NEAREST]],
            like[0][:NEAREST],
        )

    def pictures(self):
        """Return the image embeddings of all pictures, (N, width); computed once."""
        return self._results.get("pictures", self.see, self.clip)

    def texts(self, captions):
        """Return the text embeddings of captions, (N, width); each is computed once."""
        rows = self._texts.get_all(captions, lambda new: self.read(self.ids(new)), self.clip)
        return rows[0].new_tensor([row.tolist() for row in rows])

    def see(self):
        """Compute the image embeddings of all pictures, (N, width)."""
        with in_use(self.clip):
            given = self._pixels.to(self.clip.device, self.clip.dtype)
            return unit(self.clip.get_image_features(pixel_values=given).pooler_output)

    def ids(self, captions):
        """Return the token ids, padded to the model's length."""
        return self.tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids

    def read(self, ids):
        """Compute the text embeddings of token ids, (N, width)."""
        with in_use(self.clip):
            return unit(self.clip.get_text_features(input_ids=ids.to(self.clip.device)).pooler_output)

    def growing(self, caption):
        """Return the tokens of a caption, and the text embeddings of its first 0, 1, 2, ... tokens."""
        tokenizer, ids = self.tokenizer, self.ids([caption])[0]
        end = ids.tolist().index(tokenizer.eos_token_id)
        tokens = ["<start>", *(tokenizer.decode([i]).strip() for i in ids[1:end].tolist())]
        return tokens, self._results.get(("growing", caption), lambda: self.read(self.beginnings(ids, end)), self.clip)

    def beginnings(self, ids, end):
        """Return the first 0, 1, 2, ... of the tokens before the end, each as a caption: (end, tokens)."""
        grown = ids.repeat(end, 1)
        for n, row in enumerate(grown):
            row[n + 1 :] = self.tokenizer.pad_token_id
            row[n + 1] = self.tokenizer.eos_token_id
        return grown


def unit(x):
    """Normalise vectors to length 1, on the CPU: their dot products are cosines."""
    x = x.detach().float().cpu()
    return x / x.norm(dim=-1, keepdim=True)


def differing(caption, others):
    """Return a word of a caption, and its counterpart in the caption of equal length that differs in the fewest words."""
    words = caption.split() or [""]
    found = [
        [pair for pair in zip(words, other.split()) if pair[0] != pair[1]] for other in others if len(other.split()) == len(words)
    ]
    return min(filter(None, found), key=len, default=[(words[-1], words[-1])])[0]


def swapped(caption, word, becomes):
    """Return the caption with one word replaced wherever it occurs. Raises ValueError if it does not occur."""
    words, gone = caption.split(), word.strip()
    if gone not in words:
        raise ValueError(f"The caption has no word {gone!r}; its words are {', '.join(words) or 'none'}.")
    return " ".join(becomes.strip() if w == gone else w for w in words)
