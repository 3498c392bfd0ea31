"""What a person does in the browser, and what is seen: controls by their names, pictures by their alt text."""

import base64
import importlib.resources
import io
import re

from PIL import Image

# Stamps every change of a control, and the moment at which the picture that follows is on the screen.
STOPWATCH = """root => {
  const watch = root.watch = { times: [], at: null };
  const now = () => { watch.at = performance.now(); };
  root.addEventListener("input", now, true);
  root.addEventListener("change", event => { if (watch.at === null) now(); }, true);
  let last = root.querySelector("img")?.src;
  new MutationObserver(async () => {
    const image = root.querySelector("img");
    if (!image) return;
    try { await image.decode(); } catch { return; }  // another element has taken its place
    if (image.src === last || watch.at === null) return;
    last = image.src;
    const since = watch.at;
    watch.at = null;
    requestAnimationFrame(() => watch.times.push(performance.now() - since));
  }).observe(root, { subtree: true, childList: true });
}"""


def run_all(page):
    """Press Run > Run All Cells, once the kernel is there."""
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def opened(page, case):
    """The explorer in the page, once its picture is there."""
    root = page.locator(case.root).first
    root.locator("img").first.wait_for()
    return root


def picture(root):
    """(alt text, bytes) of the picture that is shown."""
    image = root.locator("img").first
    return image.get_attribute("alt"), image.get_attribute("src")


def pixels(source):
    """The picture of a data address, as Pillow reads it."""
    return Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))).convert("RGB")


def act(root, name, what):
    """Operate the control of that name: "up" and "down" are arrow keys, a number the option, else what is typed."""
    control = root.get_by_label(name, exact=True).first
    if what in ("up", "down"):
        control.focus()
        control.press(f"Arrow{what.capitalize()}")
    elif isinstance(what, bool):
        control.set_checked(what)
    elif isinstance(what, int):
        control.select_option(index=what)
    else:
        control.fill(what)
        control.press("Enter")


def changed(root, before, alt=None):
    """Wait for another picture than `before`; return it, once nothing is computed any more."""
    page = root.page
    page.wait_for_function("([root, src]) => root.querySelector('img')?.src !== src", arg=[root.element_handle(), before[1]])
    quiet(root)
    now = picture(root)
    assert alt is None or re.search(alt, now[0]), now[0]
    return now


def quiet(root):
    """Wait until no progress is shown."""
    root.page.wait_for_function("root => !root.querySelector('progress')", arg=root.element_handle())


def latencies(root, name, presses, key="up"):
    """Milliseconds from each press of an arrow key on a control to the picture that follows: there, and back."""
    handle = root.element_handle()
    handle.evaluate(STOPWATCH)
    for number in range(1, presses + 1):
        act(root, name, key if number <= presses / 2 else {"up": "down", "down": "up"}[key])
        root.page.wait_for_function("([root, n]) => root.watch.times.length >= n", arg=[handle, number])
    return handle.evaluate("root => root.watch.times")


def serious(root):
    """What axe-core finds serious or worse in a part of the page: [(rule, element)]."""
    page = root.page
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate((importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    found = root.evaluate("root => axe.run(root, { resultTypes: ['violations'] })")["violations"]
    return [
        (rule["id"], node["html"][:200]) for rule in found if rule["impact"] in ("serious", "critical") for node in rule["nodes"]
    ]
