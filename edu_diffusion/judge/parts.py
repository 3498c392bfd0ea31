"""How many things a picture shows, and each of them by itself: the connected parts of its foreground.

Where there are several, each is small. They stand two pixels apart, which a VAE may bridge; so a part that is longer than
a small thing can be is divided at its narrowest place.
"""

import functools

import torch
from torch.nn.functional import max_pool2d

from ..data import conditions, scenes, words
from .drawings import best, drawings, ground

LEAST = 12  # pixels; smaller parts are specks
LONGEST = words.SIZES["small"] + 4  # pixels; what is longer may be several things
DEEPEST = 9  # pixels: half the width of a bridge at most
MOST = 6  # parts of a picture that are looked at, the largest first


def labelled(mask):
    """The connected parts of masks, diagonal neighbours included: (B, 1, H, W) bool -> (B, H, W) long, 0 outside.

    Every pixel begins with a number of its own and takes over the highest of its neighbours' until nothing changes.
    """
    label = torch.arange(1.0, mask[0].numel() + 1, device=mask.device).view(mask.shape[1:]) * mask
    busy = torch.arange(len(mask), device=mask.device)  # the pictures in which something changed
    while len(busy):
        wider = max_pool2d(label[busy], 3, stride=1, padding=1) * mask[busy]
        changed = (wider != label[busy]).flatten(1).any(1)
        label[busy], busy = wider, busy[changed]
    return label[:, 0].long()


def masks(images):
    """For each picture its parts of at least LEAST pixels, the largest first: list of (parts, 64, 64) bool tensors."""
    found = [[piece for mask in pieces(label) for piece in divided(mask)] for label in labelled(conditions.foreground(images))]
    nothing = torch.zeros(0, *images.shape[2:], dtype=torch.bool, device=images.device)
    return [torch.stack(sorted(few, key=lambda mask: -int(mask.sum()))) if few else nothing for few in found]


def pieces(label):
    """The masks of the numbers in a map (H, W) that have at least LEAST pixels: (pieces, H, W)."""
    numbers, sizes = label[label > 0].unique(return_counts=True)
    return label == numbers[sizes >= LEAST][:, None, None]


def divided(mask):
    """One part, (H, W) bool: as it is, or where it is too long for one thing, in the pieces that are left when its edge is
    taken off pixel by pixel until it falls apart; then these grow back. List of masks."""
    core = mask
    for _ in range(DEEPEST if longest(mask) > LONGEST else 0):
        core = max_pool2d((~core)[None].float(), 3, stride=1, padding=1)[0] == 0
        some = pieces(labelled(core[None, None])[0])
        if len(some) > 1:
            return [small for piece in grown(some, mask) for small in divided(piece)]
    return [mask]


def longest(mask):
    """The longer side of the box around a mask."""
    return max(end - begin for begin, end in bounds(mask))


def grown(some, mask):
    """Pieces of a mask, (n, H, W), grown until they fill what of it they reach; where two meet, each keeps what it has."""
    label = (some * torch.arange(1.0, len(some) + 1, device=some.device)[:, None, None]).sum(0)
    while True:
        wider = torch.where(label > 0, label, max_pool2d(label[None], 3, stride=1, padding=1)[0] * mask)
        if torch.equal(wider, label):
            return [label == k for k in range(1, len(some) + 1)]
        label = wider


def count(images):
    """How many parts each picture has: (B, 3, 64, 64) -> (B,)."""
    return torch.tensor([len(mask) for mask in masks(images)])


def crops(image, found):
    """A picture's parts (masks) one by one, each alone in the middle on the picture's own ground: (at most MOST, 3, 64, 64)."""
    return torch.stack([alone(image, mask, found) for mask in found[:MOST]]) if len(found) else image[None][:0]


def alone(image, mask, others):
    """One part, (64, 64) bool, in the middle; what is farther off than a small thing's edge, and other parts, is ground."""
    others = others.any(0) & ~mask
    window = torch.zeros_like(mask)
    (top, bottom), (left, right) = bounds(mask)
    edge = words.SIZES["small"] // 2
    y, x = (top + bottom) // 2, (left + right) // 2
    window[max(0, min(top, y - edge)):max(bottom, y + edge), max(0, min(left, x - edge)):max(right, x + edge)] = True
    picture = torch.where(window & ~others, image, ground(image[None])[0])
    return moved(picture, ground(image[None])[0], y, x)


def moved(image, empty, y, x):
    """The picture shifted so that its pixel (y, x) comes to lie in the middle; what comes in is `empty`, (C, 1, 1)."""
    half = image.shape[-1] // 2
    wide = empty.expand(-1, 4 * half, 4 * half).clone()
    wide[:, half:3 * half, half:3 * half] = image
    return wide[:, y:y + 2 * half, x:x + 2 * half]


def bounds(mask):
    """Where a mask (H, W) begins and ends: ((top, bottom), (left, right)), the ends exclusive."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def nearest_concept(images):
    """The concept whose small drawing, moved to the middle in the same way, is nearest: (B,)."""
    return best(images, [centred()])[0].concept


@functools.cache
def centred(tier="core"):
    """The small drawings, each with its visible part exactly in the middle, as `drawings` gives them."""
    colour, opacity, spec = drawings("small", "centre", tier, scenes.STYLES)
    both = torch.cat([colour, opacity], dim=1)
    for i, mask in enumerate(opacity[:, 0] > 0.25):
        (top, bottom), (left, right) = bounds(mask)
        both[i] = moved(both[i], torch.zeros(4, 1, 1), (top + bottom) // 2, (left + right) // 2)
    return both[:, :3], both[:, 3:], spec
