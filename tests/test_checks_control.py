"""Lesson 11's questions: letters say what the images show, other spellings are right, unseen mistakes get a fitting hint."""

import json
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from edu_diffusion import models, steps
from edu_diffusion.exercises import EXERCISES, verdict
from edu_diffusion.exercises import control as bank


def refused(name, mine, *fitting):
    right, words = verdict(name, mine)
    assert right is False and any(part in words for part in fitting), words


# ---------------------------------------------------------------- the letters and the number


def test_the_image_with_the_line_stands_where_the_right_letter_says():
    """In the lesson the four images are shuffled by a seed; each letter's sentence speaks of the image that it stands for."""
    path = Path(__file__).parents[1] / "notebooks" / "11_controlnet.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cell = next(text for text in map("".join, (cell["source"] for cell in cells)) if "runs[i]" in text)
    assert "runs = [(3, None), (2, None), (1, circle), (4, None)]" in cell
    order = torch.randperm(4, generator=torch.Generator().manual_seed(int(re.search(r"manual_seed\((\d+)\)", cell)[1])))
    says = ["at the top and at the sides", "a good drawing", "wobbles included", "it is round as well"]
    assert [says[i] in bank.WHICH_LINES.words[letter] for i, letter in zip(order, "ABCD")] == [True] * 4
    assert "ABCD"[order.tolist().index(2)] == bank.WHICH_LINES.right


def test_a_zero_convolution_has_the_gradients_of_the_right_letter():
    h = torch.randn(1, 8, 4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    W, b = torch.zeros(8, 8, 1, 1, requires_grad=True), torch.zeros(8, requires_grad=True)
    (steps.zero_conv(h, W, b) - 1).square().mean().backward()
    assert (bool(W.grad.any()), bool(b.grad.any()), bool(h.grad.any())) == (True, True, False)
    assert bank.ZERO_GRADIENTS.right == "B"


def test_the_curve_of_the_card_says_what_the_right_letter_says():
    curve = models.control_card("segmentation")["curve"]
    start, at = curve[0], next(row for row in curve if row[0] == 125)
    assert f"from {start[3]:.2f} to {at[3]:.2f}" in bank.LOSS_TELLS.words["C"] and bank.LOSS_TELLS.right == "C"
    losses = [row[2] for row in curve if row[0] <= 125]
    assert all(abs(loss / start[2] - 1) < 0.15 for loss in losses)
    assert 0.135 < min(losses) and max(losses) < 0.165, "between 0.14 and 0.16"


def test_an_empty_prompt_gains_more_in_the_metrics_of_the_checkpoint():
    scores = json.loads((models.locate.control_folder("canny") / "metrics.json").read_text(encoding="utf-8"))
    assert scores["canny_f1_empty_gain"]["low"] > scores["canny_f1_gain"]["high"] and bank.EMPTY_PROMPT.right == "B"


def test_the_number_is_that_of_a_real_layer():
    conv = torch.nn.Conv2d(320, 320, kernel_size=1)
    assert sum(p.numel() for p in conv.parameters()) == bank.ZERO_NUMBERS.right
    for words, number in bank.ZERO_NUMBERS.wrong:
        assert verdict("zero_numbers", number) == (False, f"Not yet: {words}")
    assert verdict("zero_numbers", 102_720).right and "times" in verdict("zero_numbers", 5).words


# ---------------------------------------------------------------- functions


def test_the_reference_is_the_step_that_the_lesson_runs():
    assert EXERCISES["zero_conv"].reference is steps.zero_conv


def by_list(blocks, convs, h):
    features = []
    for block in blocks:
        h = block(h)
        features.append(h)
    return torch.stack([conv(x) for conv, x in zip(convs, features)])


def by_index(blocks, convs, h):
    found = torch.zeros(len(blocks), *h.shape)
    for i in range(len(blocks)):
        h = blocks[i](h)
        found[i] = convs[i](h)
    return found


def with_a_mask(left, right):
    first = torch.arange(left.shape[3]) < left.shape[3] // 2
    return torch.where(first, left, right)


def with_a_loop(left, right):
    mixed = right.clone()
    for column in range(left.shape[-1] // 2):
        mixed[:, :, :, column] = left[:, :, :, column]
    return mixed


@pytest.mark.parametrize(
    "name, mine",
    [
        ("zero_conv", lambda h, weight, bias: F.conv2d(h, weight, bias)),
        ("zero_conv", lambda h, weight, bias: (h.permute(0, 2, 3, 1) @ weight[:, :, 0, 0].T + bias).permute(0, 3, 1, 2)),
        ("zero_conv", lambda h, weight, bias: (weight[:, :, 0, 0] @ h.flatten(2) + bias[:, None]).unflatten(2, h.shape[2:])),
        (
            "zero_conv",
            lambda h, weight, bias: (weight[:, :, 0, 0][None, :, :, None, None] * h[:, None]).sum(2) + bias.view(-1, 1, 1),
        ),
        ("residuals", by_list),
        ("residuals", by_index),
        ("halves", with_a_mask),
        ("halves", with_a_loop),
        ("halves", lambda left, right: torch.cat([left.chunk(2, -1)[0], right.chunk(2, -1)[1]], 3)),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right


def by_reshape(h, weight, bias):
    b, c, height, width = h.shape
    return F.linear(h.reshape(b, height * width, c), weight.flatten(1), bias).reshape(b, -1, height, width)


def h_and_residual(blocks, convs, h):
    found = []
    for block, conv in zip(blocks, convs):
        found.append(conv(block(h)))
        h = h + found[-1]
    return torch.stack(found)


def by_block(functions, h):
    return [h := function(h) for function in functions]


def in_turn(functions, h):
    return torch.stack(by_block(functions, h))


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("zero_conv", lambda h, weight, bias: torch.zeros_like(h), "always 0"),
        ("zero_conv", lambda h, weight, bias: F.conv2d(h, weight), "bias is missing"),
        ("zero_conv", lambda h, weight, bias: F.conv2d(h, weight.transpose(0, 1), bias), "transposed"),
        ("zero_conv", lambda h, weight, bias: h + F.conv2d(h, weight, bias), "h itself"),
        ("zero_conv", lambda h, weight, bias: weight @ h + bias, "along dimension 0 one tensor has"),
        ("zero_conv", lambda h, weight, bias: h, "h itself, unchanged"),
        ("zero_conv", lambda h, weight, bias: 2 * F.conv2d(h, weight, bias), "constant factor"),
        ("residuals", lambda blocks, convs, h: convs[-1](h), "shape"),
        ("residuals", lambda blocks, convs, h: -bank.residuals(blocks, convs, h), "opposite sign"),
        ("residuals", lambda blocks, convs, h: [conv(h) for conv in convs], "torch.stack"),
        ("residuals", lambda blocks, convs, h: bank.residuals(blocks, convs, 0 * h), "zeros in place of h"),
        ("residuals", lambda blocks, convs, h: bank.residuals(blocks[::-1], convs, h), "first at"),
        ("halves", lambda left, right: left, "left itself"),
        ("halves", lambda left, right: right, "right itself"),
        ("halves", lambda left, right: torch.cat([left, right], -1), "shape"),
        ("halves", lambda left, right: bank.halves(left.flip(-1), right), "first at"),
        ("halves", lambda left, right: bank.halves(left, -right), "-right in place of right"),
        ("halves", lambda left, right: bank.halves(left, right) * 2, "constant factor"),
        ("residuals", h_and_residual, "gets h with"),
        ("halves", lambda left, right: torch.cat([left[..., :32], right[..., 32:]], -1), "a fixed number"),
        ("halves", lambda left, right: torch.cat([left.chunk(2, -1)[1], right.chunk(2, -1)[0]], -1), "take the other half"),
        ("halves", lambda left, right: torch.cat([F.max_pool2d(x, 1, (1, 2)) for x in (left, right)], -1), "squeezed"),
        ("zero_conv", lambda h, weight, bias: by_reshape(h, weight, bias), "reshape does not move"),
        ("zero_conv", lambda h, weight, bias: F.conv2d(h, weight) * bias[:, None, None], "bias is multiplied"),
        ("zero_conv", lambda h, weight, bias: F.conv2d(h, weight) + 4 * bias[:, None, None], "once for each input channel"),
        ("zero_conv", lambda h, weight, bias: F.conv2d(h[:, 3:], weight[:, 3:], bias), "last input channel"),
        ("zero_conv", lambda h, weight, bias: F.linear(h, weight.flatten(1), bias), "the last dimension, the width"),
        ("zero_conv", lambda h, weight, bias: F.linear(h.movedim(1, -1), weight.flatten(1), bias), "still last"),
        ("residuals", lambda blocks, convs, h: torch.stack([g(by_block(blocks, h)[-1]) for g in convs]), "the last block"),
        (
            "residuals",
            lambda blocks, convs, h: in_turn([lambda h, f=f, g=g: f(g(h)) for f, g in zip(blocks, convs)], h),
            "reversed",
        ),
        (
            "residuals",
            lambda blocks, convs, h: in_turn([lambda h, f=f, g=g: h + g(f(h)) for f, g in zip(blocks, convs)], h),
            "h is added",
        ),
        (
            "residuals",
            lambda blocks, convs, h: torch.stack([g(f(x)) for f, g, x in zip(blocks, convs, by_block(blocks, h))]),
            "twice",
        ),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_the_broken_function_of_the_lesson_is_refused_with_its_own_hint():
    def my_residuals(blocks, convs, h):
        found = []
        for block, conv in zip(blocks, convs):
            h = conv(block(h))
            found.append(h)
        return torch.stack(found)

    refused("residuals", my_residuals, "what left the zero convolution")


def test_in_the_broken_function_the_second_block_sees_no_image():
    """As the lesson says: with zero convolutions of 0, the residuals' gradients are the same for every image."""
    blocks, _, h = bank.copies()[0]
    zero = [torch.nn.Conv2d(3, 3, 1) for _ in blocks]
    for conv in zero:
        torch.nn.init.zeros_(conv.weight), torch.nn.init.zeros_(conv.bias)

    def gradients(function, h):
        for conv in zero:
            conv.zero_grad()
        function(blocks, zero, h).sum().backward()
        return [conv.weight.grad.clone() for conv in zero]

    def broken(blocks, convs, h):
        return bank.collected(blocks, convs, h, lambda h, x, f: f(x), lambda h, x, out: out)

    one, other = gradients(broken, h), gradients(broken, 3 * h)
    assert not torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    one, other = gradients(bank.residuals, h), gradients(bank.residuals, 3 * h)
    assert not torch.equal(one[1], other[1])
