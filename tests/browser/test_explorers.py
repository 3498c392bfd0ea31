"""Every explorer on the shipped base, in a real JupyterLab and in a real Voilà, operated by its controls' names."""

import person
import pytest
from cases import CASES

by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@by_name
def test_in_jupyterlab(case, lab, page, note):
    page.goto(lab.address(f"{case.name}.ipynb"))
    person.run_all(page)
    root = person.opened(page, case)
    person.quiet(root)
    first = person.picture(root)
    assert case.alt in first[0]
    assert person.serious(root) == []
    if case.dial:
        note(("JupyterLab", f"{case.name}: {case.dial}", person.latencies(root, case.dial, 20, case.key)))
    operated(root, case)
    assert person.serious(root) == [], "after every control was used"


def operated(root, case):
    """Use every control; each use must give another description and other pixels on the screen."""
    for name, what in case.moves:
        before, screen = person.picture(root), root.locator("img").first.screenshot()
        person.act(root, name, what)
        after = person.changed(root, before)
        assert after[0] != before[0], f"{name}: the description is still {before[0]}"
        assert person.pixels(after[1]).tobytes() != person.pixels(before[1]).tobytes()
        assert root.locator("img").first.screenshot() != screen
        assert root.get_by_role("alert").count() == 0


@by_name
def test_in_voila(case, voila, page, note):
    page.goto(f"{voila}{case.name}.ipynb")
    root = person.opened(page, case)
    assert case.alt in person.picture(root)[0]
    if case.dial:
        note(("Voila", f"{case.name}: {case.dial}", person.latencies(root, case.dial, 10, case.key)))
    else:
        operated(root, case._replace(moves=case.moves[:1]))
    assert person.serious(root) == []


def test_play_and_pause_by_keyboard(lab, page):
    """Nothing moves before a press; the button says what its next press does."""
    (case,) = [case for case in CASES if case.name == "film"]
    page.goto(lab.address("film.ipynb"))
    person.run_all(page)
    root = person.opened(page, case)
    person.quiet(root)
    page.wait_for_timeout(1500)
    first = person.picture(root)
    assert case.alt in first[0]
    button = root.get_by_role("button", name="Play", exact=True)
    button.focus()
    page.keyboard.press("Space")
    person.changed(root, first)
    root.get_by_role("button", name="Pause", exact=True).focus()
    page.keyboard.press("Space")
    button.wait_for()
    person.quiet(root)
    page.wait_for_timeout(1500)
    paused = person.picture(root)
    page.wait_for_timeout(1500)
    assert person.picture(root) == paused and "Step 1 of" not in paused[0] and person.serious(root) == []
