"""Lesson 00's questions: the seed of a name, and what the shipped model really shows where a question asks it."""

import ast
import itertools
import json
import re
import zlib

import pytest
import torch

from edu_diffusion import draw, generate, load
from edu_diffusion.data import files
from edu_diffusion.exercises import EXERCISES, LESSONS, arrange, start, verdict
from edu_diffusion.metrics import background
from edu_diffusion.steps import GUIDANCE, decode


def tidy(name):
    return " ".join(name.casefold().split())


@pytest.mark.parametrize(
    "mine",
    [
        lambda name: zlib.crc32(bytes(tidy(name), "utf-8")) % 10_000,
        lambda name: torch.tensor(divmod(zlib.crc32(tidy(name).encode("utf8")), 10_000)[1]),
        lambda name: int(str(zlib.crc32(name.lower().strip(" \n").encode()))[-4:]),
    ],
)
def test_another_way_to_the_same_seed_is_right(mine):
    assert verdict("name_seed", mine).right


def test_the_lines_make_the_right_function_in_every_order_that_works():
    orders = ["".join(order) for order in itertools.permutations("ABCD")]
    right = [order for order in orders if verdict("name_seed", arrange("name_seed", order)).right]
    assert len(right) == 2, "the import may stand anywhere before it is used"
    shown = repr(arrange("name_seed"))
    assert shown.count("\n") == 3 and "zlib.crc32" in shown and "def" not in shown


def bytes_left_out(name):
    return zlib.crc32(name.strip().lower()) % 10_000


def used_too_early(name):
    number = zlib.crc32(text.encode())  # noqa: F821
    text = name.strip().lower()
    return number % 10_000, text


def cleaned_in_vain(name):
    name.strip()
    name.lower()
    return zlib.crc32(name.encode()) % 10_000


UNSEEN = [
    (bytes_left_out, "text.encode"),
    (used_too_early, "used before it gets a value"),
    (lambda name: zlib.crc32(name.lower().strip().encode()) % 10.000, "is the number ten"),
    (lambda name: zlib.crc32(b"ada") % 10_000, "every name gets the seed of Ada"),
    (cleaned_in_vain, "they do not change `name` itself"),
    (lambda name: name.strip().lower(), "returns a str; it must return"),
    (lambda name: zlib.crc32(name.strip().title().encode()) % 10_000, 'where yours is .* name = "Ada"[.]'),
    (lambda name: zlib.adler32(name.strip().lower().encode()) % 10_000, 'where yours is .* is expected'),
    (lambda name: zlib.crc32(name.strip().lower().encode("utf-16")) % 10_000, 'where yours is'),
    (lambda name: zlib.crc32(name.strip().lower().encode("latin-1")) % 10_000, 'right in 5 of 6 cases; .*name = "Zoë"'),
    (lambda name: zlib.crc32(name.split()[0].lower().encode()) % 10_000, 'right in 5 of 6 cases; .*name = " Anna Lena"'),
    (lambda name: zlib.crc32(name.rstrip().lower().encode()) % 10_000, 'name = " ada "'),
    (lambda name: zlib.crc32(name.strip().lower().encode()) % 10_000 + 1, "off by up to 1:"),
    (lambda name: 2 * (zlib.crc32(name.strip().lower().encode()) % 10_000), "always 2 times"),
    (lambda name: torch.randint(10_000, ()), "different result each time"),
    (lambda name: 7, "the same in every case"),
    (lambda name: None, "does it end with `return`"),
    (lambda name: int(name), "stopped with ValueError"),
    (lambda: 7, "positional argument"),
]  # fmt: skip


@pytest.mark.parametrize("mine, words", UNSEEN)
def test_other_mistakes_get_a_hint_that_fits(mine, words):
    right, said = verdict("name_seed", mine)
    assert right is False and re.search(words, said), said


def test_no_hint_gives_the_answer_away():
    hints = " ".join(words for words, _ in EXERCISES["name_seed"].wrong)
    assert "crc32(" not in hints and "% 10" not in hints and ".encode" not in hints


def test_the_lesson_asks_what_its_bank_declares():
    assert LESSONS["00_start"] == [e.name for e in start.EXERCISES]


def test_the_two_names_with_the_same_sum():
    pairs = {"A": ("lea", "leo"), "B": ("amy", "may"), "C": ("bob", "rob")}
    same = [letter for letter, (a, b) in pairs.items() if start.letters(a) == start.letters(b)]
    assert same == [EXERCISES["same_sum"].right]
    sums = [sum(ord(c) - 96 for c in name) for pair in pairs.values() for name in pair]
    for letter, (a, b) in zip(pairs, zip(sums[::2], sums[1::2])):
        assert letter == "B" or f"= {a}" in EXERCISES["same_sum"].words[letter] and f"= {b}" in EXERCISES["same_sum"].words[letter]


# ---------------------------------------------------------------- what the shipped model shows


@pytest.fixture(scope="module")
def pipe():
    return load("base", "cpu")


@pytest.fixture(scope="module")
def animals(pipe):
    """{prompt: (6, 3, 64, 64)}, seeds 0 to 5."""
    return {prompt: draw(pipe, [prompt] * 6, seed=0) for prompt in ("a dog", "a cat")}


def test_the_same_seed_is_the_same_picture_and_another_one_is_not(pipe, animals):
    assert EXERCISES["same_name"].right == "B"
    one, again = (draw(pipe, "a dog", seed=3) for _ in range(2))
    assert torch.equal(one, again) and one.numel() == 12_288
    assert (animals["a dog"][0] - animals["a dog"][4]).abs().mean() > 0.2


def test_the_same_seed_mostly_has_the_same_background(animals):
    assert EXERCISES["shared_noise"].right == "A"
    corners = [images[:, :, 2:6, 2:6].mean((2, 3)) for images in animals.values()]
    apart = torch.cdist(*corners)
    same, others = apart.diag(), apart[~torch.eye(6, dtype=torch.bool)]
    assert (same < 0.4).sum() >= 4 and same.mean() < others.mean() / 2


def test_the_first_prediction_is_pale_and_soft_and_neither_noise_nor_finished_nor_empty(pipe):
    """As the lesson shows it: the prompt, the seed and no guidance stand in its cell."""
    assert EXERCISES["first_prediction"].right == "C"
    prompt, settings = shown_in_the_lesson()
    states = list(generate(pipe, prompt, **settings))
    noise, first, last = (decode(pipe, z)[0] for z in (states[0].z_t, states[0].z_0, states[-1].z_s))
    edges = lambda x: x.diff(dim=-1).abs().mean()
    assert edges(first) < 0.85 * edges(last) < 0.2 * edges(noise), "softer than the end, far from noise"
    assert first.std() < 0.7 * last.std() and first.std((1, 2)).max() > 0.1, "pale, not empty"
    head = lambda x: ((x - x[:, :6, :6].mean((1, 2), keepdim=True)).abs().amax(0) > 0.3).float().mean()
    assert head(last) < 0.7 * head(first), "the head becomes much smaller: not nearly finished"


def shown_in_the_lesson():
    """(prompt, {"seed": ..., "guidance": ...}) of the run in the cell "film"."""
    cells = json.loads((files.folder("notebooks") / "00_start.ipynb").read_bytes())["cells"]
    (source,) = ["".join(cell["source"]) for cell in cells if cell["id"] == "film"]
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and "generate" in ast.unparse(node.func)]
    return call.args[1].value, {word.arg: word.value.value for word in call.keywords}


def test_the_first_four_pictures_look_different(pipe):
    """The prompt and the first seed that the lesson begins with: three backgrounds at least, and sizes."""
    cells = json.loads((files.folder("notebooks") / "00_start.ipynb").read_bytes())["cells"]
    (prompt, seed) = re.search(r'FirstPicture\(pipe, "([^"]+)", seed=(\d+)\)', "".join(cells[1]["source"])).groups()
    images = draw(pipe, [prompt] * 4, seed=int(seed))
    assert len(set(background(images).tolist())) >= 3
    assert all((a - b).abs().mean() > 0.2 for a, b in itertools.combinations(images, 2))


def test_with_guidance_the_early_predictions_are_too_strong_in_contrast(pipe):
    """What the lesson says of the ghost and of Ada's seed: the distance rises, the contrast exceeds the end's; not without."""
    seed = EXERCISES["name_seed"].reference("Ada")
    rises, exceeds = [], []
    for guidance in (GUIDANCE, 1):
        states = list(generate(pipe, "a ghost", seed=seed, guidance=guidance))
        guesses, final = torch.cat([decode(pipe, state.z_0) for state in states]), decode(pipe, states[-1].z_s)
        distance = (guesses - final).square().mean((1, 2, 3)).sqrt()[:10]
        rises.append((distance - distance.cummin(0).values).max() > 0.02)
        exceeds.append(guesses[:10].std((1, 2, 3)).max() > 1.1 * final.std())
    assert rises == exceeds == [True, False]


def test_the_vote_names_the_generated_pictures_and_its_feedback_counts_them():
    wanted = set(start.GENERATED)
    options = {"A": {2, 3, 5, 8}, "B": {1, 4, 6, 7}, "C": {1, 3, 6, 8}, "D": {2, 4, 5, 7}}
    assert options[EXERCISES["made_by_model"].right] == wanted and not options["A"] & wanted
    drawn, generated = torch.zeros(8, 3, 2, 2), torch.ones(8, 3, 2, 2)
    assert {i + 1 for i, picture in enumerate(start.mixed(drawn, generated)) if picture.all()} == wanted
    for letter in "CD":
        first, second = sorted(options[letter] & wanted)
        assert f"two of these are generated, {first} and {second}," in EXERCISES["made_by_model"].words[letter]
