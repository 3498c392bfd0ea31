"""Slides of a lesson: all of its text, nothing that answers a question before it is asked, one file that needs no network."""

import base64
import hashlib
import html.parser
import json
import re

import pytest

from edu_diffusion.cli import html_page, lessons, main, slides, slides_page, versions
from edu_diffusion.data import files
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

FOLDER = files.folder("notebooks")
LESSONS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
PNG = "iVBORw0KGgo="


def image(alt, width, height):
    return {
        "output_type": "display_data",
        "data": {"text/html": f'<img alt="{alt}" width="{width}" height="{height}" src="{PNG}">'},
    }


def markdown(source):
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": list(outputs)}


def question(source):
    return code(source) | {"metadata": {"tags": ["exercise"]}}


def printed(*lines):
    return {"output_type": "stream", "name": "stdout", "text": [f"{line}\n" for line in lines]}


def said(words):
    return {"output_type": "execute_result", "data": {"text/html": "<div>", "text/plain": [words]}}


ASKED = markdown("# 99 Name\nHello.\n\n## Predict: $x_0$\nWhich one?\n\n* **A**: `a` for\n  sure\n* **B** b")
LETTER = question('my_which = ""  # A or B\n### BEGIN SOLUTION\nmy_which = "B"\n### END SOLUTION')
CHECK = code('ed.check("which")', said("Right: it is `b`.  (1 of 6 right in this lesson)"))


def made(*cells, **settings):
    """The slides of cells as [(title, text of the slide)]."""
    return [(slide.title, "".join(slide.blocks)) for slide in slides.slides(list(cells), **settings)]


class Words(html.parser.HTMLParser):
    """The visible words of HTML, a formula by its alt text; and its tags."""

    def __init__(self, page, alt=True):
        super().__init__()
        self.alt = alt
        self.words, self.tags, self.within = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.words += [dict(attrs)["alt"]] * self.alt
        elif tag not in ("meta", "br"):
            self.within.append(tag)

    def handle_endtag(self, tag):
        while self.within and self.within.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & {*self.within}:
            self.words += data.split()


def words(page):
    return " ".join(" ".join(Words(page).words).split())


@pytest.fixture(scope="module")
def decks():
    """The slides of every lesson."""
    return {name: slides.slides(slides.cells_of(FOLDER / f"{name}.ipynb")) for name in LESSONS}


# ---------------------------------------------------------------- every lesson


@pytest.mark.parametrize("name", LESSONS)
def test_no_text_is_shortened(name, decks):
    shown = letters(Words("".join(block for slide in decks[name] for block in slide.blocks), alt=False).words)
    texts = [part for _, part in slides.parts(slides.cells_of(FOLDER / f"{name}.ipynb")) if isinstance(part, str)]
    syntax = r"\$\$?[^$]*\$\$?|</?(?:details|summary)>|\]\([^)]*\)|```\w*"
    assert len(texts) > 10 and not [text for text in texts if letters([re.sub(syntax, " ", text)]) not in shown]


def letters(words):
    """Words of letters only, which Markdown and HTML leave alone."""
    return " ".join(re.findall("[A-Za-z]+", " ".join(words)))


@pytest.mark.parametrize("name", LESSONS)
def test_a_question_is_asked_before_it_is_answered(name, decks):
    cells = [part for _, part in slides.parts(slides.cells_of(FOLDER / f"{name}.ipynb")) if isinstance(part, dict)]
    asked = {versions.answer_of(cell): versions.text(cell) for cell in cells if versions.is_question(cell)}
    closed = [i for i, slide in enumerate(decks[name]) if slide.blocks[0].startswith("<details><summary>Answer")]
    assert len(closed) == len(asked) >= 3
    for at, source in zip(closed, asked.values()):
        before = "".join(block for slide in decks[name][:at] for block in slide.blocks if "<ol" not in block)
        stub = versions.without_solution(source)
        given = [line for line in slides.solution(source).splitlines() if len(line) > 15 and line not in stub]
        assert not given or [line for line in given if f">{slides_page.html.escape(line)}\n" not in before]
    outside = "".join(block for slide in decks[name] for block in slide.blocks if not block.startswith("<details>"))
    assert "Right: " not in outside and "BEGIN SOLUTION" not in outside


@pytest.mark.parametrize("name", LESSONS)
def test_pictures_and_formulas_are_in_the_page(name, decks):
    page = slides_page.page(decks[name])
    cells = [part for _, part in slides.parts(slides.cells_of(FOLDER / f"{name}.ipynb")) if isinstance(part, dict)]
    markup = ["".join(output.get("data", {}).get("text/html", "")) for cell in cells for output in cell["outputs"]]
    pictures = [re.search('<img alt="([^"]*)"', text)[0] for text in markup if "<img " in text]
    assert pictures and not [alt for alt in pictures if alt not in page]
    read = re.sub(r"<(pre|code)\b.*?</\1>", "", page[page.index("<main>") :], flags=re.DOTALL)
    assert "$" not in re.sub(r"<script>.*?</script>", "", read, flags=re.DOTALL)
    assert not re.search(r"\\(frac|sqrt|epsilon|text|bar|hat)", words(re.sub("<img [^>]*>", "", read)))
    assert not re.search(r"\s(src|href)=\"(?!data:|https://)|<link|url\(|@import", page), "one file"
    assert not re.search(r'src="(?!data:)', page)


@pytest.mark.parametrize("name", LESSONS)
def test_code_is_short(name, decks):
    for slide in decks[name]:
        for block in slide.blocks:
            if block.startswith('<pre class="code">') and "my_" not in block:
                assert block.count("<span") <= slides.MOST_LINES
    assert all(slide.blocks and all(block.strip() for block in slide.blocks) for slide in decks[name])


# ---------------------------------------------------------------- the parts


def test_a_prediction_its_evidence_and_its_answer():
    found = made(ASKED, LETTER, code("draw()", image("Two dogs", 400, 300), printed("1", "2"), printed("3")), CHECK)
    assert [title for title, _ in found] == ["99 Name", "Predict: $x_0$", "Predict: $x_0$", "Predict: $x_0$"]
    assert words(found[1][1]) == "Which one? A a for sure B b" and '<ul class="options">' in found[1][1]
    assert words(found[2][1]).startswith("draw() Two dogs Two dogs 1 2 3") and found[2][1].count("<pre") == 2
    assert (
        found[3][1].startswith("<details>")
        and words(found[3][1]) == "Answer B b Right: it is b ."
        and "<code>b</code>" in found[3][1]
    )


def test_a_picture_that_is_asked_about_has_the_options():
    found = made(ASKED, code("look()", image("Two dogs", 400, 300)), LETTER, CHECK)
    assert words(found[2][1]) == "look() Two dogs A a for sure B b" and "aria-hidden" not in found[2][1]
    found = made(markdown("# 99\nWhich row?"), code("look()", image("Two dogs", 400, 300)), LETTER, CHECK)
    assert words(found[1][1]) == "look() Two dogs" and "figcaption" not in found[1][1], "an alt text may answer it"
    assert "figcaption" in made(markdown("# 99\nText"), code("look()", image("Two dogs", 400, 300)), markdown("More"), LETTER)[1][1]


def test_an_answer_without_options_or_output():
    assert words(made(markdown("# 99\nSo?"), LETTER, code('ed.check("which")'))[1][1]) == "Answer B"


def test_what_is_written():
    write = "def my_f(x):\n    y = 1\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION"
    found = made(markdown("# 99\nWrite."), question(write), code('ed.check("f")', said("Right: f.")))
    assert words(found[0][1]) == "Write. def my_f(x): y = 1 pass # your code here" and len(found) == 2
    assert words(found[1][1]) == "Answer def my_f(x): y = 1 return x Right: f."
    long = write.replace("    y = 1\n", "    y = 1\n" * slides.MOST_LINES)
    assert slides.solution(long) == "return x"


def test_what_is_repaired():
    repair = "def my_f(x):\n    return 1\n### BEGIN SOLUTION\ndef my_f(x):\n    return x\n### END SOLUTION"
    found = made(markdown("# 99\nRepair."), question(repair), code('ed.check("f")', said("Right: f.")))
    assert words(found[0][1]) == "Repair. def my_f(x): return 1"
    assert words(found[1][1]) == "Answer def my_f(x): return x Right: f."


def test_what_is_calculated():
    number = question("my_n = None\n### BEGIN SOLUTION\nmy_n = 2 * 3\n### END SOLUTION")
    found = made(markdown("# 99\nHow many?"), number, code('ed.check("n")', said("Right: six.")))
    assert words(found[0][1]) == "How many?" and words(found[1][1]) == "Answer my_n = 2 * 3 Right: six."


def test_what_was_written_in_an_earlier_lesson_is_not_shown():
    earlier = code("def my_f(x):\n    ### BEGIN SOLUTION\n    return x\n    ### END SOLUTION\n")
    assert words(made(markdown("# 99\nText"), earlier)[1][1]) == "def my_f(x): pass # your code here"


def test_long_code_is_named():
    body = "\n".join(["x = 1"] * slides.MOST_LINES)
    cells = markdown("# 99\nText"), code(f"def f():\n    pass\n{body}"), code(f"{body}\nfigures.row(x)", printed("7"))
    found = made(*cells)
    assert words(found[0][1]) == "Text In the notebook: f , 14 lines of code.", "a remark alone is no slide"
    assert words(found[1][1]) == "In the notebook: figures.row , 13 lines of code. 7"
    assert words("".join(slides.code(body + "\nx"))) == "In the notebook: 13 lines of code."
    assert "<span" in slides.code(body)


def test_imports_and_notes_for_learners_are_left_out():
    cells = code("import a\nfrom b import c\nfigures.map()", image("Map", 888, 252)), code("# NBVAL_CHECK_OUTPUT\nf()")
    found = made(markdown("# 99\nText"), *cells, code("use()", printed("From here on your my_f is used.")))
    assert [words(text) for _, text in found] == ["Text", "Map Map", "f()", "use()"]


def test_our_own_code_has_its_formula_but_no_docstring():
    source = '@cache\ndef f(x):\n    """Return x < 1.\n\n    Twin: g.\n    """\n    return x < 1'
    for closed in ("", "Our code of f"):
        bundle = figures_source(source, closed)._repr_mimebundle_()
        (_, _), (_, shown) = made(markdown("# 99\nText"), code("source(f)", {"data": bundle}))
        assert words(shown) == "source(f) x_0 < 1 @cache def f(x): return x < 1"


def figures_source(source, closed):
    from edu_diffusion.figures.code import Source

    return Source(source, closed, "x_0 < 1")


def test_tables_and_lists_stay():
    table = {"data": {"text/markdown": "| a | b |\n|---|---|\n| 1 | 2 |", "text/plain": "x"}}
    lines = {"data": {"text/html": '<ol type="A" style="font-size:1rem"><li>one</li></ol>', "text/plain": "x"}}
    shown = made(markdown("# 99\nText"), code("f()", table, lines, {"data": {"text/plain": "7"}}))[1][1]
    assert words(shown) == "f() a b 1 2 one 7" and "<table>" in shown and "font-size" not in shown


def test_going_further_is_left_out_unless_it_is_wanted():
    cells = [
        ASKED,
        markdown("Core.\n\n## Going further\nMore.\n\n### And more\nStill more."),
        code("more()"),
        LETTER,
        CHECK,
        markdown("After it.\n\n## What you can say now\nThat."),
        markdown("## References\nThese."),
    ]
    core, everything = made(*cells), made(*cells, further=True)
    assert [words(text) for _, text in core][2:] == ["Core.", "That.", "These."]
    assert [title for title, _ in core][3:] == ["What you can say now", "References"]
    assert "Still more." in [words(text) for _, text in everything] and len(everything) == len(core) + 5


def test_a_cell_joins_the_text_before_it_unless_that_asks_something():
    cells = markdown("# 99\nText."), code("a()"), code("b()"), markdown("Really?"), code("c()")
    assert [slide.joins for slide in slides.slides(list(cells))] == [False, True, False, False, False]


def test_a_caption_takes_no_room_from_its_picture():
    assert slides_page.place(888, 252, ["x" * 100])[::2] == ("below", 2 * slides_page.LINE)
    assert slides_page.place(552, 620, ["x" * 100])[0] == "beside"
    for size in ((888, 252), (552, 620), (100, 900), (40, 40)):
        where, scale, _ = slides_page.place(*size, ["x" * 100])
        assert scale * size[0] <= slides_page.WIDTH - slides_page.ASIDE * (where == "beside")
        assert scale * size[1] <= slides_page.HEIGHT and scale <= slides_page.MOST_LARGER
    assert slides_page.is_caption("Two dogs", 400, 300) and not slides_page.is_caption("x" * 2000, 400, 300)
    assert not slides_page.is_caption("2 pictures: a; b", 280, 161), "the labels are in the picture"
    assert slides_page.is_caption("Contact sheet of 12 pictures", 416, 688), "they are too small there"


def test_an_alt_text_of_labels_begins_as_figures_begin_it():
    assert slides_page.is_labels("2 pictures: a; b") and slides_page.is_labels("Contact sheet of 9 pictures with their prompts: a")
    assert slides_page.is_labels("10 small pictures of handwritten digits, white on black: 7, 7")
    assert not slides_page.is_labels("Four pictures of one prompt") and not slides_page.is_labels("Two dogs")


def test_a_link_to_a_lesson_is_text():
    drawn = slides_page.text("[04 VAE](04_vae.ipynb), [paper](https://arxiv.org/abs/1)")
    assert words(drawn) == "04 VAE, paper" and drawn.count("<a ") == 1


def test_code_keeps_its_indentation_where_it_is_broken():
    drawn = slides_page.lines("if x:\n    f(1 < 2)")
    assert "padding-left:4ch" in drawn and "padding-left:8ch;text-indent:-8ch" in drawn and "    f(1 &lt; 2)\n" in drawn


# ---------------------------------------------------------------- the page and the command


def test_only_our_script_may_run():
    page = slides_page.page(slides.slides([ASKED, LETTER, CHECK]))
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page and "default-src 'none'" in page
    assert [page.count(f"<h{n}>") for n in (1, 2)] == [1, 2] and not re.search(r"\son\w+=", page)
    assert "<title>99 Name</title>" in page and '<html lang="en">' in page


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Run the verb in an empty folder; return (exit code, out, err)."""
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: (main.main(list(map(str, arguments))), *capsys.readouterr())


def test_the_command_writes_one_file_and_replaces_it(command, tmp_path):
    for _ in range(2):
        code, out, err = command("slides", "03")
        assert (code, err) == (0, "") and out.startswith("03_guidance_slides.html: ")
    assert [path.name for path in tmp_path.iterdir()] == ["03_guidance_slides.html"]
    core = (tmp_path / "03_guidance_slides.html").read_text(encoding="utf-8")
    assert command("slides", "03_guidance", "--further", "--out", "more.html")[0] == 0
    assert len((tmp_path / "more.html").read_text(encoding="utf-8")) > len(core)


@pytest.mark.fault("ugly")
@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["99_none"], "there is no lesson 99_none; the lessons are 00_start"),
        (["00", "--out", "."], "is a folder; name the file to write, such as page.html"),
        (["00", "--out", "no/x.html"], "no/x.html cannot be written (No such file or directory)"),
    ],
)
def test_a_mistake_is_one_sentence(command, arguments, sentence, tmp_path):
    code, out, err = command("slides", *arguments)
    assert (code, out) == (2, "") and sentence in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


@pytest.mark.fault("lost")
@pytest.mark.parametrize("verb", [["slides", "00", "--out"], ["worksheet", "00_start", "--out"], ["concepts", "--paper"]])
def test_a_file_that_is_not_ours_stays(command, verb, tmp_path):
    (tmp_path / "mine.html").write_text("<!doctype html><title>my page about edu_diffusion</title>")
    code, _, err = command(*verb, "mine.html")
    assert code == 2 and "mine.html is not replaced, because edu_diffusion did not write it" in err
    assert "my page" in (tmp_path / "mine.html").read_text()
    html_page.write(tmp_path / "mine2.html", html_page.frame("x", "", ""))
    assert command(*verb, "mine2.html")[0] == 0 and len((tmp_path / "mine2.html").read_text(encoding="utf-8")) > 1000


@pytest.mark.fault("ugly")
def test_a_damaged_lesson_is_named(command, tmp_path, monkeypatch):
    (tmp_path / "00_start.ipynb").write_text(json.dumps({"cells": 1}))
    monkeypatch.setattr(lessons, "source", lambda: tmp_path)
    code, _, err = command("slides", "00")
    assert code == 2 and "00_start.ipynb is not a notebook; " in err and err.count("\n") == 1
    with pytest.raises(EduError):
        slides.cells_of(tmp_path / "00_start.ipynb")
