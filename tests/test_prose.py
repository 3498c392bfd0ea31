"""Prose uses the field's terms: private words stay out of README, CONTRIBUTING, docstrings and messages of the package.

A student who meets "timestep", "training run" or "attention weights" here finds them in papers as well.
"""

import ast
import re
from pathlib import Path

import pytest

import edu_diffusion

PACKAGE = Path(edu_diffusion.__file__).parent
ROOT = PACKAGE.parent
DATA = {"checkpoints", "datasets", "notebooks"}  # what a wheel carries besides code
FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if not DATA & set(p.relative_to(PACKAGE).parts)]
PAGES = [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.is_file()]  # a wheel has none

PRIVATE = {  # pattern: the field's term
    r"sittings?": "training run",
    r"forerunners?": "previous version",
    r"(?:judge|base|model) of then": "previous judge, base or model",
    r"there and back": "reconstruction, round trip",
    r"obedien(?:ce|t)|obeys? the prompt": "prompt adherence",
    r"tables? of weights": "attention weights, state dict",
    r"tables? of words": "embedding table",
    r"dial(?:led|ling)": "set, set_attention_processor",
    r"levels? of noise": "timestep, noise level",
    r"noisy levels?": "noisy timesteps",
    r"what there is|what it will be": "x_t, predicted x_0",
    r"news (?:for|of|from|about)": "gradient",
    r"(?:alike|evenly) likely": "equally likely",
    r"(?:was|were) never shown|has never (?:seen|been shown)": "was not trained on",
    r"ask(?:s|ed|ing)? the (?:network|model|u-net)": "run the model",
    r"the way back": "reverse process, sampling",
    r"second edition": "the version with a larger vocabulary",
    r"(?:learn|learned|know|known|knows) by heart": "memorise",
    r"thin matri(?:x|ces)": "low-rank matrices",
    r"picture tower|text tower": "image encoder, text encoder",
    r"what is wanted is": "expected",
}
ANY = re.compile("|".join(rf"\b(?:{pattern})\b" for pattern in PRIVATE), re.IGNORECASE)


def private(text):
    """The private words in a text, however its lines are broken."""
    return [match[0] for match in ANY.finditer(" ".join(text.split()))]


def strings(source):
    """(line, text) of every docstring and string literal of a piece of Python; f-strings without what is put into them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_pages(path):
    assert not private(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_docstrings_and_messages(path):
    assert not [(line, word) for line, text in strings(path.read_text(encoding="utf-8")) for word in private(text)]


@pytest.mark.parametrize(
    "text, found",
    [
        ("after the second sitting", ["sitting"]),
        ("At which Level of\n    noise is it lost?", ["Level of noise"]),
        ("there\nand back", ["there and back"]),
        ("weights dialled to 2", ["dialled"]),
        ("It has more obedience than its forerunner.", ["obedience", "forerunner"]),
        ("the resolution level of the U-Net, a noise level, a timestep", []),
        ("visitings, dial, JupyterLab's news feed", []),
    ],
)
def test_the_check_itself(text, found):
    assert private(text) == found


def test_a_planted_word_is_found_wherever_a_learner_reads():
    docstring = '"""One sitting."""'
    message = 'raise ValueError(f"the {name} of the judge of then")'
    label = 'draw("what there is", x_t)'
    seen = [private(text) for _, text in strings("\n".join([docstring, message, label])) if private(text)]
    assert sorted(seen) == [["judge of then"], ["sitting"], ["what there is"]]
    assert private("".join(text for _, text in strings("sitting = 1  # a name and a comment are not prose"))) == []
