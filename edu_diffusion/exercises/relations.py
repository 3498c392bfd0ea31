"""What the weights of a wrong sum have to do with the expected ones: a root, a sign, an exchange."""

from ..errors import said

KINDS = (  # what a weight w is where r is expected -> 0 where that is so
    ("the expected one with the wrong sign.", lambda w, r: w + r),
    ("the square of the expected one: is a root missing?", lambda w, r: abs(w) - r * r),
    ("the square root of the expected one: is there a root too many?", lambda w, r: abs(w) - abs(r) ** 0.5),
    ("1 divided by the expected one: multiply where you divide, or the other way round.", lambda w, r: w * r - 1),
)


def related(yours, expected, names):
    """Return what the wrong weights have in common with the expected ones, as a sentence, or "". All three: lists."""
    pairs = {name: pair for name, *pair in zip(names, yours, expected) if not zero(pair[0] - pair[1])}
    if any(zero(w) for w, _ in pairs.values()):
        return ""
    if len(pairs) == 2 and zero(sum(w for w, _ in pairs.values()) - sum(r for _, r in pairs.values())):
        (w, _), (_, r) = pairs.values()
        if zero(w - r):
            return said(" The weights of {} are exchanged.", said(" and ").join(pairs))
    for words, gap in KINDS:
        if pairs and all(zero(gap(w, r)) for w, r in pairs.values()):
            if len(pairs) > 1:
                return said(" Each wrong weight is {}", said(words))
            return said(" The weight of {} is {}", next(iter(pairs)), said(words))
    return ""


def zero(gap):
    return abs(gap) < 2e-3
