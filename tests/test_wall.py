"""The wall: only approved pictures reach the page, without names or metadata, and what a prompt says cannot change the page."""

import base64
import html.parser
import io
import json
import re
from argparse import Namespace

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import edu_diffusion
from edu_diffusion.cli import infotext, main, wall
from edu_diffusion.data import school
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

SETTINGS = {"negative": "", "seed": 7, "steps": 20, "guidance": 4.5, "model": "base", "hash": "0123456789"}
EVIL = '"><script>alert(1)</script> & <b>'


@pytest.fixture(autouse=True)
def off(monkeypatch):
    monkeypatch.setenv(school.SWITCH, "")
    monkeypatch.setattr(wall.webbrowser, "open", lambda url: pytest.fail("a browser was opened"))


def pixels(colour):
    return np.full((8, 8, 3), colour, np.uint8)


@pytest.fixture
def pictures(tmp_path):
    """A folder with pictures of two learners, and things that are no pictures."""
    folder = tmp_path / "class"
    (folder / "Zoe Winter").mkdir(parents=True)
    infotext.write(folder / "Zoe Winter" / "zoe.png", pixels(10), SETTINGS | {"prompt": "a cat"})
    infotext.write(folder / "Ali.png", pixels(20), SETTINGS | {"prompt": EVIL})
    info = PngInfo()
    info.add_text("Author", "Mia Sommer")
    exif = Image.Exif()
    exif[0x010E], exif[0x8825] = "Mia's garden", {1: "N", 2: (50.0, 1.0, 2.0)}
    Image.fromarray(pixels(30)).save(folder / "mia.PNG", pnginfo=info, exif=exif)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "notes.txt").write_text("Ali was late")
    return folder


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the verb with these answers in the terminal; return (exit code, out, err)."""
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def run(*words, answers=()):
        left = list(answers)

        def ask(question):
            print(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", ask)
        code = main.main(["wall", *map(str, words), "--no-browser"])
        return code, *capsys.readouterr()

    return run


class Images(html.parser.HTMLParser):
    """The <img> of a page as {alt: pixels of the first}, and every tag."""

    def __init__(self, page):
        super().__init__()
        self.shown, self.tags, self.files = {}, [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            given = dict(attrs)
            self.files.append(base64.b64decode(given["src"].removeprefix("data:image/png;base64,")))
            self.shown[given["alt"]] = int(np.asarray(Image.open(io.BytesIO(self.files[-1])))[0, 0, 0])


def shown(path):
    return Images(path.read_text(encoding="utf-8"))


def everything(pictures):
    wall.store(pictures, {piece.key: True for piece in wall.gather(pictures)[0]})
    return wall.wall(pictures)


def test_nothing_appears_without_a_yes(command, pictures):
    code, out, _ = command(pictures)
    assert code == 0 and shown(pictures / "wall.html").shown == {}
    assert "There are no pictures yet" in (pictures / "wall.html").read_text()
    assert "0 of 3 pictures" in out and "3 are not decided yet" in out and not (pictures / "wall.json").exists()


def test_each_picture_is_asked_about_once_and_only_a_yes_shows_it(command, pictures):
    code, out, _ = command(pictures, answers=["perhaps", "y", "", "no", "YES "])
    assert code == 0 and out.count("of 3, ") == 5, "what is neither yes nor no is asked again"
    order = [piece.alt for piece in wall.gather(pictures)[0]]
    assert list(shown(pictures / "wall.html").shown) == [order[0], order[2]]
    assert sorted(json.loads((pictures / "wall.json").read_text()).values()) == [False, True, True]
    assert "of 3, " not in command(pictures)[1]
    assert command(pictures, "--again", answers="nnn")[1].count("of 3, ") == 3
    assert not shown(pictures / "wall.html").shown


def test_later_keeps_the_answers_so_far_and_removes_the_page_for_the_teacher(command, pictures, monkeypatch):
    pages = []
    write = wall.write
    monkeypatch.setattr(wall, "write", lambda path, text: (pages.append((path.name, text)), write(path, text)))
    out = command(pictures, answers=["y", "q"])[1]
    assert pages[0][0] == "wall-review.html" and len(Images(pages[0][1]).shown) == 3 and "<strong>3</strong>" in pages[0][1]
    assert not (pictures / "wall-review.html").exists()
    assert len(shown(pictures / "wall.html").shown) == 1 and "2 are not decided yet" in out
    assert command(pictures, answers=["y", "y"])[1].count(" of 2, ") == 2
    assert len(shown(pictures / "wall.html").shown) == 3


def test_an_answer_belongs_to_pixels_and_prompt_not_to_the_name_of_the_file(pictures):
    everything(pictures)
    (pictures / "Ali.png").rename(pictures / "other.png")
    assert len(shown(wall.wall(pictures)).shown) == 3
    infotext.write(pictures / "other.png", pixels(21), SETTINGS | {"prompt": EVIL})
    assert set(shown(wall.wall(pictures)).shown.values()) == {10, 30}, "other pixels"
    infotext.write(pictures / "other.png", pixels(20), SETTINGS | {"prompt": "other words"})
    assert set(shown(wall.wall(pictures)).shown.values()) == {10, 30}, "another prompt"


@pytest.mark.parametrize("damage", ["", "[]", '{"x": ', '{"KEY": "yes"}', '{"KEY": 1}'])
def test_a_damaged_list_of_answers_approves_nothing(pictures, damage):
    everything(pictures)
    (pictures / "wall.json").write_text(damage.replace("KEY", wall.gather(pictures)[0][0].key))
    assert not shown(wall.wall(pictures)).shown and wall.decided(pictures) == {}, "it is asked again"


def test_the_page_tells_no_name_and_no_metadata(pictures):
    page = everything(pictures)
    text = page.read_text(encoding="utf-8")
    for picture in shown(page).files:
        kinds = [kind for kind in re.findall(rb"IHDR|IDAT|IEND|tEXt|iTXt|zTXt|eXIf|tIME|pHYs|iCCP", picture)]
        assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}
    for secret in ("zoe", "winter", "ali.png", "mia", "sommer", "garden", "seed", str(pictures.parent).lower()):
        assert secret not in re.sub('base64,[^"]*', "", text).lower()


def test_the_order_does_not_follow_the_names(tmp_path):
    orders = []
    for names in (["a", "b", "c", "d"], ["d", "c", "b", "a"]):
        folder = tmp_path / names[0]
        folder.mkdir()
        for i, name in enumerate(names):
            Image.fromarray(pixels(10 * i)).save(folder / f"{name}.png")
        orders.append(list(Images(wall.page(wall.gather(folder)[0], "x")).files))
    assert orders[0] == orders[1] and len(orders[0]) == 4


def test_a_prompt_is_text_and_the_alt_text(pictures):
    found = shown(everything(pictures))
    assert found.shown == {
        "A picture generated from the prompt: a cat": 10,
        f"A picture generated from the prompt: {EVIL}": 20,
        wall.WITHOUT: 30,
    }
    assert "script" not in found.tags and "b" not in found.tags
    assert "default-src 'none'" in (pictures / "wall.html").read_text()


def test_it_is_one_file_that_loads_nothing(pictures):
    text = re.sub('base64,[^"]*', "", everything(pictures).read_text(encoding="utf-8"))
    assert not re.search(r"https?:|url\(|<link|<iframe|@import|\son\w+=", text)
    assert "color: #000" in text and "background: #fff" in text and '<html lang="en">' in text


def test_a_class_does_not_see_what_is_on_the_list(command, pictures):
    infotext.write(pictures / "b.png", pixels(40), SETTINGS | {"prompt": "a bomb"})
    everything(pictures)
    assert 40 in shown(pictures / "wall.html").shown.values()
    code, out, _ = command(pictures, "--school")
    assert code == 0 and 'b.png is left out: In this class "bomb" is not drawn' in out
    assert set(shown(pictures / "wall.html").shown.values()) == {10, 20, 30}


def test_the_page_replaces_itself_and_no_other_file(pictures, tmp_path):
    there = tmp_path / "diary.html"
    there.write_text("mine")
    with pytest.raises(EduError, match="diary.html is not replaced"):
        wall.publish(pictures, [], {}, out=there)
    assert there.read_text() == "mine"
    assert wall.publish(pictures, [], {}) == wall.publish(pictures, [], {})


def test_files_that_cannot_be_shown_are_named(command, pictures, tmp_path):
    assert "broken.png is left out: broken.png is" in command(pictures)[1]
    for words, sentence in (
        ([tmp_path / "no"], "there is no folder"),
        ([pictures, "--out", tmp_path / "no" / "x"], "choose another"),
    ):
        code, _, err = command(*words)
        assert code == 2 and sentence in err and err.count("\n") == 1
    with pytest.raises(EduError, match="there is no folder"):
        edu_diffusion.wall(tmp_path / "no")


def test_a_large_picture_is_made_smaller(tmp_path):
    Image.new("RGB", (3000, 1500), "red").save(tmp_path / "large.png")
    (piece,) = wall.gather(tmp_path)[0]
    assert Image.open(io.BytesIO(piece.png)).size == (1024, 512)


def test_the_page_for_the_teacher_is_opened_in_the_browser(pictures, monkeypatch):
    seen = []
    monkeypatch.setattr(wall.webbrowser, "open", seen.append)
    monkeypatch.setattr("builtins.input", lambda question: "q")
    given = Namespace(folder=pictures, school=False, again=False, no_browser=False, out=None, title="Wall <1>")
    wall.run(given)
    assert seen == [(pictures / "wall-review.html").as_uri()]
    assert "<h1>Wall &lt;1&gt;</h1>" in (pictures / "wall.html").read_text()
