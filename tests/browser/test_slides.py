"""The slides of every lesson in a real browser: nothing overflows, answers wait for a key, and without JavaScript all is there."""

import person
import pytest

from edu_diffusion.cli import slides, slides_page
from edu_diffusion.data import files

FOLDER = files.folder("notebooks")
LESSONS = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix() for path in (*FOLDER.glob("*.ipynb"), *FOLDER.glob("??/*.ipynb"))
)
SIZES = [(1280, 720), (1024, 768)]
SMALLEST = 28  # px of a letter on a slide of 1280 x 720
ADDRESS = "http://127.0.0.1/slides.html"  # nobody listens there: the page is handed over

# What is wrong with the slides: [(number, what)], with all answers open, as they are when they are shown.
WRONG = """smallest => {
  const wrong = [], scale = Math.min(innerWidth / 1280, innerHeight / 720);
  for (let number = 1; number <= slides.length; number++) {
    show(number);
    now.querySelectorAll("details").forEach(answer => { answer.open = true; });
    const title = now.firstElementChild, [right, bottom] = [now.clientWidth, now.clientHeight];
    const note = what => wrong.push([number, what]);
    if (now.scrollHeight > bottom || now.scrollWidth > right) note("too long");
    if (now.childElementCount < 2 || now.innerText.trim() === title.innerText.trim() && !now.querySelector("img")) note("empty");
    for (const part of now.querySelectorAll("*")) {
      const says = [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
      const box = part.getBoundingClientRect(), pixels = parseFloat(getComputedStyle(part).fontSize) / scale;
      if (says && box.height && pixels < smallest - 0.1) note(`letters of ${pixels} px: ${part.textContent}`);
      if (box.bottom > innerHeight || box.right > innerWidth) note(`outside: ${part.outerHTML.slice(0, 80)}`);
    }
    for (const figure of now.querySelectorAll("figure")) {
      const whole = parseFloat(figure.style.getPropertyValue("--down")) * 16 * scale; // its height alone on a slide
      if (figure.firstElementChild.clientHeight < 0.7 * whole) note("a small picture");
    }
    now.querySelectorAll("details").forEach(answer => { answer.open = false; });
  }
  return wrong;
}"""
NUMBER = "Number(shown.textContent.split(' / ')[0])"
SWIPE = """across => {
  const touch = x => new Touch({ identifier: 1, target: document.body, clientX: x, clientY: 300 });
  const send = (type, x, on) => document.body.dispatchEvent(
    new TouchEvent(type, { bubbles: true, touches: on ? [touch(x)] : [], changedTouches: [touch(x)] }));
  send("touchstart", 500, true);
  send("touchend", 500 + across, false);
}"""


def deck(name):
    return slides_page.page(slides.slides(slides.cells_of(FOLDER / f"{name}.ipynb"), further=True))


def opened(page, name, size=SIZES[0]):
    """Open the slides of a lesson; return the page."""
    page.set_viewport_size(dict(zip(("width", "height"), size)))
    page.route(ADDRESS, lambda route: route.fulfill(body=deck(name), content_type="text/html; charset=utf-8"))
    page.goto(ADDRESS)
    return page


def number(page):
    return page.evaluate(NUMBER)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
@pytest.mark.parametrize("name", LESSONS)
def test_every_slide_fits(page, name, size):
    opened(page, name, size)
    assert page.locator("section").count() > 40 and page.evaluate(WRONG, SMALLEST) == []


def test_a_smaller_window_makes_them_fit_again(page):
    opened(page, "15_few_steps")
    for size in ((640, 480), (1920, 1080)):
        page.set_viewport_size(dict(zip(("width", "height"), size)))
        assert page.evaluate(WRONG, SMALLEST) == []


def test_keys_buttons_and_swipes(page):
    opened(page, "00_start")
    last = page.locator("section").count()
    for key, expected in (
        ("ArrowRight", 2), ("ArrowDown", 3), ("PageDown", 4), ("Space", 5), ("ArrowLeft", 4), ("ArrowUp", 3), ("PageUp", 2),
        ("Shift+Space", 1), ("ArrowLeft", 1), ("End", last), ("ArrowRight", last), ("Home", 1), ("Control+ArrowRight", 1),
    ):  # fmt: skip
        page.keyboard.press(key)
        assert number(page) == expected, key
        assert page.locator("section:visible").count() == 1
    page.get_by_role("button", name="Next slide").click()
    page.get_by_role("button", name="Next slide").press("Space")
    assert number(page) == 3, "the button is pressed, and no key counts twice"
    page.get_by_role("button", name="Slide before").press("Space")
    assert number(page) == 2
    page.keyboard.press("ArrowRight")
    page.evaluate(SWIPE, -200), page.evaluate(SWIPE, -20)
    assert number(page) == 4 and page.url.endswith("#4")
    page.evaluate(SWIPE, 200)
    assert number(page) == 3
    page.reload()
    assert number(page) == 3


def test_help_lists_the_keys(page):
    opened(page, "00_start")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog")
    assert "next slide" in help_.inner_text() and page.get_by_role("button", name="Close").is_visible()
    page.keyboard.press("ArrowRight")
    assert number(page) == 1
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    assert help_.is_hidden() and number(page) == 2


def test_an_answer_opens_at_a_key(page):
    opened(page, "00_start")
    right = page.get_by_text("Right: all 12,288 numbers are equal")
    seen = []
    while not right.is_visible():
        seen.append(page.locator("section.now").inner_text())
        page.keyboard.press("ArrowRight")
        assert len(seen) < 30
    assert seen[-1].split("\n")[-1] == "Answer" and not [text for text in seen if "Right:" in text]
    at = number(page)
    page.keyboard.press("ArrowRight")
    assert number(page) == at + 1


@pytest.mark.parametrize("at", ["first", "options", "picture", "answer"])
def test_nothing_serious_for_a_screen_reader(page, at):
    opened(page, "00_start")
    found = {"first": "section", "options": ".options", "picture": "figure", "answer": "details"}[at]
    page.evaluate("one => show([...slides].findIndex(slide => slide.matches(one) || slide.querySelector(one)) + 1)", found)
    assert person.serious(page.locator("html")) == []
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_without_javascript_it_is_one_long_page(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_content(deck("00_start"))
    assert page.locator("section:visible").count() == page.locator("section").count() > 40
    assert page.get_by_text("Right: all 12,288 numbers are equal").is_hidden(), "until it is pressed"
    page.locator("summary").first.click()
    assert page.get_by_text("Right: all 12,288 numbers are equal").is_visible()
    assert page.locator("nav").is_hidden() and page.locator("dialog").is_hidden()
    context.close()


def test_a_slide_is_a_printed_page(page):
    opened(page, "03_guidance")
    pages = page.pdf(prefer_css_page_size=True)
    assert pages.count(b"/Type /Page\n") == page.locator("section").count() and b"/MediaBox [0 0 960 540]" in pages
    for event, opened_ in (("beforeprint", page.locator("details").count()), ("afterprint", 0)):
        page.evaluate("name => { dispatchEvent(new Event(name)); }", event)
        assert page.locator("details[open]").count() == opened_, "answers are printed, and closed again"
