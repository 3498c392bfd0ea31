"""LeNet-5, both forms, against the same network written with the library's layers."""

import pytest
import torch
from tiny import twin
from torch import nn
from torch.testing import assert_close

from edu_diffusion import steps
from edu_diffusion.steps.lenet import C3_SEES

SIZES = pytest.mark.parametrize("B, size, seed", [(1, (32, 32), 0), (3, (8, 8), 1), (2, (28, 28), 2)])


def digits(B, size, seed):
    return torch.rand(B, 1, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def plain():
    """Today's form, written down once more."""
    return nn.Sequential(
        nn.Upsample((32, 32), mode="bilinear"),
        nn.Conv2d(1, 6, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    ).double()


class Squash(nn.Module):
    def forward(self, a):
        return 1.7159 * (2 * a / 3).tanh()


def dense_1998(net):
    """The form of 1998 with an ordinary C3, whose weights are zero where nothing is connected."""
    C3 = nn.Conv2d(6, 16, 5)
    nn.init.zeros_(C3.weight)
    with torch.no_grad():
        for i, conv in enumerate(net["C3"]):
            C3.weight[i, list(C3_SEES[i])] = conv.weight[0].float()
            C3.bias[i] = conv.bias[0]
    four = nn.AvgPool2d(2, divisor_override=1)
    return nn.Sequential(
        nn.Upsample((32, 32), mode="bilinear"),
        net["C1"],
        Squash(),
        four,
        net["S2"],
        Squash(),
        C3,
        Squash(),
        four,
        net["S4"],
        Squash(),
        nn.Flatten(),
        net["C5"],
        Squash(),
        net["F6"],
        Squash(),
    ).double()


@twin("build_lenet", "lenet_forward")
@SIZES
def test_todays_form(B, size, seed):
    torch.manual_seed(seed)
    want = plain()
    net = steps.build_lenet().double()
    net.load_state_dict(dict(zip(net.state_dict(), want.state_dict().values(), strict=True)))
    x = digits(B, size, seed)
    assert_close(steps.lenet_forward(net, x), want(x))
    assert_close(net(x), want(x))
    assert steps.lenet_forward(net, x).shape == (B, 10)


@twin("build_lenet_1998", "lenet_1998")
@SIZES
def test_the_form_of_1998(B, size, seed):
    torch.manual_seed(seed)
    net = steps.build_lenet_1998(seed).double()
    x = digits(B, size, seed)
    assert_close(steps.lenet_1998(net, x), torch.cdist(dense_1998(net)(x), net.codes) ** 2)
    assert steps.lenet_1998(net, x).shape == (B, 10)


def test_parameters_counted():
    now, then = steps.build_lenet(), steps.build_lenet_1998()
    assert parameters(now) == 61_706
    assert parameters(then) == 60_000
    layers = {"C1": 156, "S2": 12, "C3": 1516, "S4": 32, "C5": 48120, "F6": 10164}  # as in the paper
    assert {name: parameters(layer) for name, layer in then.items()} == layers
    assert [parameters(now.get_submodule(name)) for name in ("C1", "C3", "C5", "F6", "out")] == [156, 2416, 48120, 10164, 850]


def test_what_c3_sees():
    """Table I: each of S2's maps is seen by ten of C3's, and no two of C3's see the same."""
    assert [len(maps) for maps in C3_SEES] == [3] * 6 + [4] * 9 + [6]
    assert [sum(i in maps for maps in C3_SEES) for i in range(6)] == [10] * 6
    assert len(set(C3_SEES)) == 16


def test_codes_are_fixed_and_far_apart():
    codes = steps.build_lenet_1998(3).codes
    assert torch.equal(codes, steps.build_lenet_1998(3).codes) and not codes.requires_grad
    assert set(codes.unique().tolist()) == {-1.0, 1.0}
    places = torch.cdist(codes, codes) ** 2 / 4  # in how many two codes differ
    assert (places + 84 * torch.eye(10)).min() > 20


@pytest.mark.parametrize(
    "build, read", [(steps.build_lenet, steps.lenet_forward), (steps.build_lenet_1998, lambda net, x: -steps.lenet_1998(net, x))]
)
def test_it_learns(build, read):
    """Sixty steps are enough to tell ten random pictures apart, each with noise on it."""
    torch.manual_seed(0)
    net, pictures = build(), torch.randn(10, 1, 8, 8)
    optimiser, own = torch.optim.Adam(net.parameters(), lr=1e-3), torch.arange(10)
    for _ in range(60):
        loss = nn.functional.cross_entropy(read(net, pictures + 0.3 * torch.randn(10, 1, 8, 8)), own)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        assert (read(net, pictures + 0.3 * torch.randn(10, 1, 8, 8)).argmax(dim=1) == own).all()
