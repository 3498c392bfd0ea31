"""LeNet-5, a classifier of handwritten digits: as it is written today, and as it was published in 1998.

C1, S2, ... are the paper's names: C is a convolution, S a subsampling (half the size), F a fully connected layer.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Upsample

__all__ = ["build_lenet", "build_lenet_1998", "lenet_forward", "lenet_1998"]

# Which of S2's six maps each of C3's sixteen is connected to (the paper's table I).
C3_SEES = [
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),  # three in a row, wrapping around
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),  # four in a row
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),  # two pairs
    (0, 1, 2, 3, 4, 5),
]


def build_lenet():
    """Return an untrained LeNet-5 as it is written today: ReLU, max pooling, all maps connected.

    Returns a torch.nn.Sequential with the layers C1, S2, C3, S4, C5, F6 and out by name; call it, or `lenet`.
    Source: LeCun et al. 1998, section II-B, simplified. Twin: torch.nn.Sequential.
    """
    return torch.nn.Sequential(OrderedDict(
        retina=Upsample((32, 32), mode="bilinear"),
        C1=Conv2d(1, 6, 5), relu1=ReLU(), S2=MaxPool2d(2),
        C3=Conv2d(6, 16, 5), relu3=ReLU(), S4=MaxPool2d(2), flat=Flatten(),
        C5=Linear(400, 120), relu5=ReLU(), F6=Linear(120, 84), relu6=ReLU(), out=Linear(84, 10),
    ))


def lenet_forward(net, x):
    """Classify digits: find strokes, halve the size, find shapes made of strokes, halve again, and decide.

    out(relu(F6(relu(C5(pool(relu(C3(pool(relu(C1(x)))))))))))

    net: from build_lenet. x: (B, 1, H, W) in [-1, 1], resized to 32 x 32 first.
    Returns (B, 10), the logits: the largest of a row is at the predicted digit.
    Source: LeCun et al. 1998, section II-B, simplified. Twin: torch.nn.Sequential.forward.
    """
    x = F.interpolate(x, (32, 32), mode="bilinear")
    h = F.max_pool2d(F.relu(net.C1(x)), 2)  # (B, 6, 14, 14)
    h = F.max_pool2d(F.relu(net.C3(h)), 2)  # (B, 16, 5, 5)
    h = F.relu(net.C5(h.flatten(1)))  # (B, 120)
    h = F.relu(net.F6(h))  # (B, 84)
    return net.out(h)


def build_lenet_1998(seed=0):
    """Return an untrained LeNet-5 as published: subsampling with two parameters for each map, a sparse C3.

    Its output layer is not trained: `codes` has for each digit a fixed row of 84 values, -1 or +1. The paper draws
    them as 7 x 12 pixels and says that they could have been random; here they are random, from the seed.
    Returns a torch.nn.ModuleDict with C1, S2, C3, S4, C5, F6 and the buffer `codes`.
    Source: LeCun et al. 1998, section II-B, table I. Twin: torch.nn.Conv2d, for C3 with weights held at zero.
    """
    net = torch.nn.ModuleDict({
        "C1": Conv2d(1, 6, 5),
        "S2": Conv2d(6, 6, 1, groups=6),  # a factor and a bias for each map
        "C3": torch.nn.ModuleList(Conv2d(len(maps), 1, 5) for maps in C3_SEES),
        "S4": Conv2d(16, 16, 1, groups=16),
        "C5": Linear(400, 120), "F6": Linear(120, 84),
    })
    codes = torch.randint(2, (10, 84), generator=torch.Generator().manual_seed(seed))
    net.register_buffer("codes", 2.0 * codes - 1)
    return net


def lenet_1998(net, x):
    """Classify digits as in 1998: the output is the distance of the last layer's 84 values from each digit's code.

    y_i = sum_j (h_j - codes_ij)^2

    net: from build_lenet_1998. x: (B, 1, H, W) in [-1, 1], resized to 32 x 32 first.
    Returns (B, 10), >= 0: the smallest of a row is at the predicted digit.
    Source: LeCun et al. 1998, section II-B, eq. 7. Twin: torch.nn.Sequential.forward, then torch.cdist.
    """
    h = squash(net.C1(F.interpolate(x, (32, 32), mode="bilinear")))  # (B, 6, 28, 28)
    h = squash(net.S2(sum_of_four(h)))  # (B, 6, 14, 14)
    h = squash(torch.cat([conv(h[:, maps]) for conv, maps in zip(net.C3, C3_SEES)], dim=1))  # (B, 16, 10, 10)
    h = squash(net.S4(sum_of_four(h)))  # (B, 16, 5, 5)
    h = squash(net.C5(h.flatten(1)))  # (B, 120)
    h = squash(net.F6(h))  # (B, 84)
    return (h[:, None] - net.codes).square().sum(dim=2)


def squash(a):
    """1.7159 tanh(2 a / 3), the paper's eq. 6: it maps -1 and +1 to themselves, and stays within +-1.7159."""
    return 1.7159 * torch.tanh(2 / 3 * a)


def sum_of_four(h):
    """Add up each block of 2 x 2 pixels, which halves the size."""
    return F.avg_pool2d(h, 2, divisor_override=1)
