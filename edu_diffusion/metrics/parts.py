"""Count the objects of an image and separate them: the connected components of its foreground.

Where there are several, each is small. They are two pixels apart, a gap that a VAE may bridge; so a component longer than
a small object can be is split at its narrowest place.
"""

import functools

import torch
from torch.nn.functional import avg_pool2d, max_pool2d

from ..data import conditions, scenes, words
from .nearest import POOL, best, drawings, ground

LEAST = 12  # pixels; smaller components are noise
LONGEST = words.SIZES["small"] + 4  # pixels; a longer component may be several objects
DEEPEST = 9  # pixels: maximum half width of a bridge
MOST = 6  # maximum number of components per image, the largest first


def labelled(mask):
    """The connected components of masks, with diagonal neighbours: (B, 1, H, W) bool -> (B, H, W) long, 0 outside.

    Every pixel starts with its own number and takes the highest of its neighbours' until nothing changes.
    """
    label = torch.arange(1.0, mask[0].numel() + 1, device=mask.device).view(mask.shape[1:]) * mask
    busy = torch.arange(len(mask), device=mask.device)  # the images in which something changed
    while len(busy):
        wider = max_pool2d(label[busy], 3, stride=1, padding=1) * mask[busy]
        changed = (wider != label[busy]).flatten(1).any(1)
        label[busy], busy = wider, busy[changed]
    return label[:, 0].long()


def masks(images):
    """For each image its components of at least LEAST pixels, the largest first: list of (components, 64, 64) bool tensors."""
    found = [[piece for mask in pieces(label) for piece in divided(mask)] for label in labelled(conditions.foreground(images))]
    nothing = torch.zeros(0, *images.shape[2:], dtype=torch.bool, device=images.device)
    return [torch.stack(sorted(few, key=lambda mask: -int(mask.sum()))) if few else nothing for few in found]


def pieces(label):
    """The masks of the labels in a map (H, W) that have at least LEAST pixels: (pieces, H, W)."""
    numbers, sizes = label[label > 0].unique(return_counts=True)
    return label == numbers[sizes >= LEAST][:, None, None]


def divided(mask):
    """One component, (H, W) bool: unchanged, or if it is too long for one object, split by erosion, pixel by pixel, until it
    falls apart; the pieces are then dilated again. List of masks.
    """
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
    """Pieces of a mask, (n, H, W), dilated until they fill what they can reach of it; where two meet, each keeps its pixels."""
    label = (some * torch.arange(1.0, len(some) + 1, device=some.device)[:, None, None]).sum(0)
    while True:
        wider = torch.where(label > 0, label, max_pool2d(label[None], 3, stride=1, padding=1)[0] * mask)
        if torch.equal(wider, label):
            return [label == k for k in range(1, len(some) + 1)]
        label = wider


def crops(image, found):
    """An image's components (masks), each centred alone on the image's own background: (at most MOST, 3, 64, 64)."""
    return torch.stack([alone(image, mask, found) for mask in found[:MOST]]) if len(found) else image[None][:0]


def alone(image, mask, others):
    """One component, (64, 64) bool, centred; what is farther than a small object's edge, and other components, is background."""
    others = others.any(0) & ~mask
    window = torch.zeros_like(mask)
    (top, bottom), (left, right) = bounds(mask)
    edge = words.SIZES["small"] // 2
    y, x = (top + bottom) // 2, (left + right) // 2
    window[max(0, min(top, y - edge)) : max(bottom, y + edge), max(0, min(left, x - edge)) : max(right, x + edge)] = True
    picture = torch.where(window & ~others, image, ground(image[None])[0])
    return moved(picture, ground(image[None])[0], y, x)


def moved(image, empty, y, x):
    """The image shifted so that its pixel (y, x) becomes the centre; the new pixels are `empty`, (C, 1, 1)."""
    half = image.shape[-1] // 2
    wide = empty.expand(-1, 4 * half, 4 * half).clone()
    wide[:, half : 3 * half, half : 3 * half] = image
    return wide[:, y : y + 2 * half, x : x + 2 * half]


def bounds(mask):
    """The bounding box of a mask (H, W): ((top, bottom), (left, right)), the ends exclusive."""
    rows, columns = mask.any(1).nonzero()[:, 0], mask.any(0).nonzero()[:, 0]
    return (int(rows[0]), int(rows[-1]) + 1), (int(columns[0]), int(columns[-1]) + 1)


def nearest_concept(images):
    """The concept whose small sprite, centred in the same way, is nearest: (B,)."""
    return best(images, [centred()])[0].concept


@functools.cache
def centred(tier="core"):
    """The small sprites, each with its visible part exactly centred, as `references` returns them."""
    colour, opacity, spec = drawings("small", "centre", tier, scenes.STYLES)
    both = torch.cat([colour, opacity], dim=1)
    for i, mask in enumerate(opacity[:, 0] > 0.25):
        (top, bottom), (left, right) = bounds(mask)
        both[i] = moved(both[i], torch.zeros(4, 1, 1), (top + bottom) // 2, (left + right) // 2)
    return avg_pool2d(both[:, :3], POOL), avg_pool2d(both[:, 3:], POOL), spec
