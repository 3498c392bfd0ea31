"""`import edu_diffusion as ed`: what the public face shows, and that importing it changes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

import edu_diffusion as ed
from edu_diffusion import steps, train, widgets

ROOT = Path(ed.__file__).parents[1]


@pytest.mark.parametrize("name", ed.FACE)
def test_every_name_is_there(name):
    assert getattr(ed, name).__name__ == name and name in dir(ed)


def test_every_recipe_and_every_explorer_is_on_it():
    assert {f"train_{name}" for name in train.RECIPES} - set(ed.FACE) == set()
    assert all(getattr(ed, recipe.__name__) is recipe for recipe in map(train.RECIPES.get, train.RECIPES))
    assert set(widgets.__all__) - set(ed.FACE) == {"Slider"}


def test_rooms_are_imported_when_they_are_used():
    code = "import sys, edu_diffusion as ed; assert 'torch' not in sys.modules; print(ed.steps.__name__, 'torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["edu_diffusion.steps", "True"]


def test_a_wrong_name_is_an_attribute_error_that_lists_the_right_ones():
    with pytest.raises(AttributeError, match="has no 'drow'; it has .*draw, "):
        ed.drow  # noqa: B018
    assert ed.draw is steps.draw and not hasattr(ed, "drow")


# diffusers and torch have variables of their own; these are the ones that we once set for everybody
CODE = """
import os
before = dict(os.environ)
import edu_diffusion as ed
pipe = ed.load("base", "cpu")
for name in ed.ROOMS:
    getattr(ed, name)
changed = {k for k in {**before, **os.environ} if before.get(k) != os.environ.get(k)}
print(sorted(k for k in changed if k.startswith(("HF_", "TRANSFORMERS_", "DIFFUSERS_"))))
"""


def test_nothing_is_set_in_the_environment_and_nothing_is_printed():
    bare = {"PATH": "", "PYTHONPATH": str(ROOT / "tests" / "offline"), "HOME": str(ROOT / "tests"), "MPLCONFIGDIR": "/tmp"}
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], cwd=ROOT, capture_output=True, text=True, env=bare)
    assert not ran.returncode, ran.stderr
    assert ran.stdout.strip() == "[]" and not ran.stderr.strip()
