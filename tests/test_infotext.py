"""The text in a PNG file: our own comes back unchanged, other programs' is understood, and nothing in it harms a terminal."""

import itertools
import random
import re
import struct
import tracemalloc
import zlib
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import tiny
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import edu_diffusion
from edu_diffusion.cli import generate, infotext, main, unfollowed
from edu_diffusion.data import pngchunks
from edu_diffusion.errors import EduError
from edu_diffusion.install import environment

pytestmark = pytest.mark.fault("wrong")

SETTINGS = {"seed": 7, "steps": 20, "guidance": 4.5, "model": "base", "hash": "0123456789"}


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run `generate` in an empty folder with a tiny model of random weights; return (exit code, out, err)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(edu_diffusion, "models", Namespace(load=lambda name, device: tiny.pipeline()), raising=False)
    monkeypatch.setattr(environment, "ensure", lambda arguments, test=False: None)

    def command(*words):
        code = main.main(["generate", *map(str, words)])
        return code, *capsys.readouterr()

    return command


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra, late=()):
    """A PNG of one black pixel with further chunks, before or after the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return pngchunks.MAGIC + header + b"".join(extra) + pixels + b"".join(late) + chunk(b"IEND", b"")


def with_text(path, text):
    info = PngInfo()
    info.add_text("parameters", text)
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


# ---------------------------------------------------------------- our own pictures

NASTY = [
    "",
    "a cat",
    "Negative prompt: dog",
    "Negative prompt:",
    "Steps: 20",
    "Steps: 20, Seed: 3, Version: v1",
    "a, b: c",
    '"',
    "'",
    '"a": "b',
    "\\",
    "\\n",
    "{}",
    "Negative prompt: Steps: 5",
    "Version: edu_diffusion 9",
    "caf\u00e9 \u732b \U0001f431",
    "\u00c3\u00a9",
    "\u202eabc",
    "a<lora:x:1>",
    ",",
    ":",
    "Template: x",
    "Steps:",
    "Model hash: 1",
]


@pytest.mark.parametrize("prompt", NASTY)
def test_every_pair_of_prompts_comes_back(prompt):
    for negative in NASTY:
        text = infotext.describe(SETTINGS | {"prompt": prompt, "negative": negative}, (64, 64))
        assert infotext.parse(text) == SETTINGS | {"prompt": prompt, "negative": negative}


def test_random_pieces_come_back():
    pieces = [*NASTY, " ", "\u2028", "\u00a0", "\u200d", "Sampler: DDIM", "=", "  "]
    chance = random.Random(0)
    for _ in range(3000):
        prompt, negative = (generate.one_line("".join(chance.choices(pieces, k=chance.randrange(5)))) for _ in "pn")
        text = infotext.describe(SETTINGS | {"prompt": prompt, "negative": negative}, (64, 64))
        assert infotext.parse(text) == SETTINGS | {"prompt": prompt, "negative": negative}


@pytest.mark.parametrize("prompt, negative", [*itertools.product(["", "Negative prompt: dog", "\u00c3\u00a9", "\u732b"], repeat=2)])
def test_the_file_gives_them_back_as_well(tmp_path, prompt, negative):
    settings = SETTINGS | {"prompt": prompt, "negative": negative}
    infotext.write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8), settings)
    assert infotext.read(tmp_path / "a.png") == settings | {"said": {}, "size": (8, 8)}


@pytest.mark.parametrize(
    "model", ["a, b", 'say "x": y', "two\nlines", "carriage\rreturn", "caf\u00e9", "bad \udc80 byte", "Steps: 3"]
)
def test_any_name_of_a_model_leaves_the_rest_readable(tmp_path, model):
    infotext.write(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8), SETTINGS | {"prompt": "x", "negative": "y", "model": model})
    expected = " ".join(model.replace("\udc80", "?").split())
    kept = {"prompt": "x", "negative": "y", "model": expected, "said": {}, "size": (8, 8)}
    assert infotext.read(tmp_path / "a.png") == SETTINGS | kept


@pytest.mark.parametrize(
    "prompt, negative", [("", "dog"), ("", ""), ("Negative prompt: dog", ""), ("Steps: 20", "Steps: 9, Seed: 1")]
)
def test_a_picture_makes_itself_again_whatever_its_prompts(run, prompt, negative):
    assert run(prompt, "--negative", negative, "--steps", 2, "--guidance", 3)[0] == 0
    code, out, _ = run("--from", "picture.png")
    assert code == 0 and "The picture was" not in out
    assert Path("picture.png").read_bytes() == Path("picture-2.png").read_bytes()
    assert sorted(path.name for path in Path().iterdir()) == ["picture-2.png", "picture.png"]
    assert infotext.read("picture-2.png")["negative"] == negative and infotext.read("picture-2.png")["prompt"] == prompt


def test_a_control_character_in_a_prompt_is_refused(run):
    for words in (["a\x1b[31mcat"], ["a\x9b1mcat"], ["a cat", "--negative", "\x07"]):
        code, _, err = run(*words)
        assert code == 2 and "control character" in err and "\x1b" not in err and err.count("\n") == 1


# ---------------------------------------------------------------- other programs' pictures

LINE = "Steps: 28, Sampler: Euler a, CFG scale: 6.5, Seed: 17, Size: 512x768, Version: v1.9"


@pytest.mark.parametrize(
    "text, prompt, negative",
    [
        (LINE, "", ""),
        ("a cat\n" + LINE, "a cat", ""),
        ("Negative prompt: dog\n" + LINE, "", "dog"),
        ("\nNegative prompt: dog\n" + LINE, "", "dog"),
        ("a cat\nNegative prompt:dog\n" + LINE, "a cat", "dog"),
        ("a,\nb\nNegative prompt: c,\nd\n" + LINE, "a, b", "c, d"),
        ("a cat\r\nNegative prompt: dog\r\n" + LINE + "\r\n", "a cat", "dog"),
        ("a cat\rNegative prompt: dog\r" + LINE, "a cat", "dog"),
        ("a cat\n" + LINE + "\nTemplate: a {cat|dog}\nNegative Template: bad", "a cat", ""),
        ("Steps: 5 to heaven\nNegative prompt: Steps: 3\n" + LINE, "Steps: 5 to heaven", "Steps: 3"),
        ("Steps: to heaven\n" + LINE, "Steps: to heaven", ""),
        ("a cat\n" + LINE + "\nTemplate: a\nSteps: to heaven", "a cat", ""),
        ("a\tcat\n" + LINE, "a cat", ""),
    ],
)
def test_the_prompts_of_other_programs(text, prompt, negative):
    expected = {"prompt": prompt, "negative": negative, "steps": 28, "guidance": 6.5, "seed": 17}
    assert infotext.parse(text) == expected


@pytest.mark.parametrize(
    "extra, label, value",
    [
        (', Lora hashes: "x: 1, y: 2"', "Lora hashes", "x: 1, y: 2"),
        (', Hires prompt: "two\nlines, Seed: 4"', "Hires prompt", "two lines, Seed: 4"),
        (r', Hires prompt: "two\nlines, \"Seed: 4\""', "Hires prompt", 'two lines, "Seed: 4"'),
        (', Model: "C:\\models\\a, b"', "Model", "C:\\models\\a, b"),
        (
            r', ControlNet 0: "Module: canny, Model: \"control [d14c]\", Seed: 4"',
            "ControlNet 0",
            'Module: canny, Model: "control [d14c]", Seed: 4',
        ),
        (', ControlNet 0: "preprocessor: "canny", Seed: 4, Steps: 1"', "ControlNet 0", 'preprocessor: "canny'),
        (', Hashes: {"model": "ab", "Seed": "4"}, ENSD: 31337', "ENSD", "31337"),
        (", ADetailer model 2nd: none, (odd) key: 1", "ADetailer model 2nd", "none"),
        (', Open: "never closed, Seed: 4', "Open", '"never closed'),
    ],
)
def test_settings_that_hold_others(extra, label, value):
    for line in (LINE + extra, LINE + extra + "\nTemplate: x, Seed: 9"):
        prompts, said = infotext.split("a cat\n" + line)
        assert prompts == ["a cat"] and said[label] == value
        assert (said["Steps"], said["Seed"], said["Version"]) == ("28", "17", "v1.9") and "Template" not in said


@pytest.mark.parametrize(
    "bad, words",
    [
        ("Steps: 20, Seed: soon", "Seed: 'soon' is not a number"),
        ("Steps: 2.5", "Steps: '2.5'"),
        ("Steps: 2, CFG scale: " + "x" * 9999, "not a number"),
        ("Steps:", "Steps: ''"),
        ("Steps: " + "9" * 9999, "not a number"),
        ("steps: 3", "no line begins with Steps"),
    ],
)
def test_settings_that_are_none(bad, words):
    with pytest.raises(EduError, match=words) as caught:
        infotext.parse("a cat\n" + bad)
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


LONGEST = [
    "a" * 10**6,
    " " * 10**6,
    "a " * 10**6,
    'a:"' * 10**6,
    'a:"\\' * 10**6,
    ", " * 10**6,
    "\\" * 10**6,
    '"' * 10**6,
    "a: " + '\\"' * 10**6,
    "\x1b[" * 10**6,
    "\nSteps: 1" * 10**5,
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tail", LONGEST, ids=range(len(LONGEST)))
def test_a_long_text_takes_no_time(tail):
    assert infotext.parse("x\nSteps: 1, Seed: 2," + tail)["steps"] == 1


# ---------------------------------------------------------------- what is not followed


def foreign(line, prompt="a cat"):
    settings, said = infotext.parse(f"{prompt}\n{line}"), infotext.split(line)[1]
    return list(unfollowed.sentences(settings | {"said": said}, (32, 32)))


@pytest.mark.parametrize(
    "line, prompt, words",
    [
        ("Sampler: DPM++ 2M Karras", "", "sampler DPM.. 2M Karras; this program draws with DDIM"),
        ("Schedule type: Karras", "", "schedule Karras"),
        ("Size: 512x768", "", "512x768 pixels; this model draws 32x32"),
        ('Lora hashes: "x: 1, y: 2"', "", "LoRA .x: 1, y: 2."),
        ("Seed: 1", "a <lora:rocket:0.8> cat", "LoRA .rocket."),
        (
            "Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: Latent",
            "",
            "enlarged .Denoising strength: 0.5, Hires upscale: 2, Hires upscaler: Latent.",
        ),
        ("Clip skip: 2", "", "clip skip 2"),
        ("Model hash: ab12", "", "hash ab12 of a file"),
        ("ControlNet 0: x, RNG: CPU", "", "not followed either: ControlNet 0, RNG"),
    ],
)
def test_each_thing_is_one_sentence(line, prompt, words):
    found = foreign(f"Steps: 3, {line}, Version: v1.9", prompt)
    assert len(found) == 1 and re.search(words, found[0])
    assert "\n" not in found[0] and found[0].endswith(".")


def test_what_is_the_same_is_no_sentence():
    assert not foreign("Steps: 3, Sampler: DDIM, Schedule type: Automatic, CFG scale: 2, Seed: 1, Size: 32x32, Clip skip: 1")


def test_a_long_value_is_shortened():
    assert all(len(sentence) < 300 for sentence in foreign(f"Steps: 3, Sampler: {'x' * 9999}, " + "a b: 1, " * 999))


def test_the_command_says_so_and_follows_the_rest(run):
    with_text("theirs.png", "a cat\nSteps: 2, Sampler: Euler, CFG scale: 3, Seed: 5, Size: 512x512, Model hash: ab, Version: v1.9")
    code, out, _ = run("--from", "theirs.png", "--out", "a.png")
    assert code == 0 and "sampler Euler" in out and "512x512 pixels; this model draws 32x32" in out
    assert "other weights" not in out, "their hash is computed in another way"
    run("a cat", "--steps", 2, "--guidance", 3, "--seed", 5, "--out", "b.png")
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert not list(generate.foreign(tiny.pipeline(), infotext.read("b.png")))


def test_a_model_with_a_long_name_is_asked_for_in_one_short_sentence(run):
    with_text("theirs.png", f"a cat\nSteps: 2, Model: {'x' * 9999}")
    code, _, err = run("--from", "theirs.png")
    assert code == 2 and "called xxx" in err and "... say where it is with --model" in err.replace(";", "") and len(err) < 300


# ---------------------------------------------------------------- the terminal

EVIL = "\x1b[31mred\x1b[0m\x07\x1b]0;title\x07\x9b2J\x00\x08cat\x7f"


def test_no_control_character_is_read(tmp_path):
    text = f'{EVIL}\nNegative prompt: {EVIL}\nSteps: 2, Sampler: {EVIL}, {EVIL}: 3, Model: "\\u001b[31m\\u0007x\\ny", Version: v1'
    read = infotext.read(with_text(tmp_path / "a.png", text))
    assert read["prompt"] == read["negative"] == "red]0;titlecat" and read["model"] == "x y"
    assert not any(infotext.CONTROL.search(word) or "\n" in word for pair in read["said"].items() for word in pair)


def test_no_control_character_reaches_the_terminal(run):
    for line in (
        f"Steps: 1, Sampler: {EVIL}, Size: {EVIL}, Odd {EVIL}: 3",
        f"Steps: 1, Seed: {EVIL}",
        f"Steps: 1, Model: {EVIL}",
        'Steps: 1, Model: "\\u001b[31m\\ny"',
    ):
        with_text("theirs.png", f"{EVIL}\n{line}")
        code, out, err = run("--from", "theirs.png", "--out", "a.png")
        assert code in (0, 2) and not infotext.CONTROL.search(out + err) and (code == 0 or err.count("\n") == 1)


# ---------------------------------------------------------------- chunks

TEXT = "a caf\u00e9\nSteps: 3, Seed: 4"
LONG = "a " * 1_500_000 + TEXT


def kinds(text):
    """A text in each way that a PNG can hold it."""
    latin, utf8 = text.encode("latin-1"), text.encode()
    return {
        "tEXt": chunk(b"tEXt", b"parameters\0" + latin),
        "zTXt": chunk(b"zTXt", b"parameters\0\0" + zlib.compress(latin)),
        "iTXt": chunk(b"iTXt", b"parameters\0\0\0de\0W\xc3\xb6rter\0" + utf8),
        "packed iTXt": chunk(b"iTXt", b"parameters\0\1\0\0\0" + zlib.compress(utf8)),
    }


@pytest.mark.parametrize("kind", kinds(""))
@pytest.mark.parametrize("text", [TEXT, LONG], ids=["short", "3 MB"])
def test_every_kind_of_text_is_read_before_and_after_the_pixels(tmp_path, kind, text):
    for data in (png(kinds(text)[kind]), png(late=[kinds(text)[kind]])):
        (tmp_path / "a.png").write_bytes(data)
        assert pngchunks.text(tmp_path / "a.png", "parameters") == text
        assert infotext.read(tmp_path / "a.png")["prompt"].endswith("a caf\u00e9")


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "packed iTXt"])
def test_a_bomb_is_refused_in_one_sentence_and_not_loaded(tmp_path, kind):
    big = b"a" * (20_000_000 if kind == "tEXt" else 200_000_000)
    packed = zlib.compress(big, 1)
    bombs = {"tEXt": b"parameters\0" + big, "zTXt": b"parameters\0\0" + packed, "packed iTXt": b"parameters\0\1\0\0\0" + packed}
    (tmp_path / "a.png").write_bytes(png(chunk(kind[-4:].encode(), bombs[kind])))
    del big, packed, bombs
    tracemalloc.start()
    with pytest.raises(EduError, match="a text of over 4 MB") as caught:
        infotext.read(tmp_path / "a.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000 and "\n" not in str(caught.value)


def test_other_texts_do_not_matter_however_long(tmp_path):
    others = [
        chunk(b"tEXt", b"workflow\0" + b"x" * 5_000_000),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 5_000_000)),
        chunk(b"zTXt", b"b\0\7???"),
        chunk(b"iTXt", b"c\0\1\0\0\0\xff"),
        chunk(b"iCCP", b"x"),
        chunk(b"tEXt", b""),
        chunk(b"tEXt", b"parametersX\0y"),
    ]
    (tmp_path / "a.png").write_bytes(png(*others, kinds(TEXT)["tEXt"]))
    assert infotext.read(tmp_path / "a.png")["prompt"] == "a caf\u00e9"


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "not a readable PNG"),
        (b"\xff\xd8\xff\xe0 a photograph", "not a readable PNG"),
        (png()[:40], "damaged or incomplete"),
        (png()[:-12], "damaged or incomplete"),
        (png()[:-4], "damaged or incomplete"),
        (png(chunk(b"tEXt", b"other\0x")), "no text chunk called parameters"),
        (png(kinds(TEXT)["tEXt"][:-4] + b"1234"), "damaged"),
        (png(chunk(b"zTXt", b"parameters\0\0xyz")), "damaged"),
        (png(chunk(b"zTXt", b"parameters\0\0" + zlib.compress(b"abc" * 99)[:-9])), "damaged"),
        (png(chunk(b"zTXt", b"parameters")), "damaged"),
        (png(chunk(b"iTXt", b"parameters\0\0\0\0\0\xff\xfe")), "damaged"),
        (png(chunk(b"iTXt", b"parameters\0")), "no line begins"),
        (png(struct.pack(">I", 2**32 - 1) + b"tEXtparameters\0"), "damaged or incomplete"),
    ],
)
def test_a_damaged_file_is_one_sentence(run, data, words):
    Path("a.png").write_bytes(data)
    code, out, err = run("--from", "a.png")
    assert code == 2 and words in err and err.count("\n") == 1 and not out


def test_a_folder_and_a_missing_file(tmp_path):
    with pytest.raises(EduError, match="is a folder"):
        infotext.read(tmp_path)
    with pytest.raises(EduError, match="there is no file"):
        infotext.read(tmp_path / "no.png")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def denied(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(EduError, match="cannot be read .Permission denied"):
        infotext.read(tmp_path / "a.png")


# ---------------------------------------------------------------- where to write


@pytest.mark.parametrize(
    "words, expected",
    [
        (["--out", "folder"], "folder is a folder"),
        (["--out", "folder.png"], "folder.png is a folder"),
        (["--out", "."], ". is a folder"),
        (["--out", ""], "is a folder"),
        (["--out", "x"], "must end in .png, not x"),
        (["--out", "x.png.jpg"], "must end in .png"),
        (["--out", "no/x.png"], "there is no folder no"),
        (["--out", "file/x.png"], "there is no folder file"),
        (["--out", "x" * 245 + ".png"], "File name too long"),
        (["--out", "x" * 999 + ".png"], "File name too long"),
        (["--scale", 0], "scale must be"),
        (["--scale", 65], "scale must be"),
        (["--scale", -1], "scale must be"),
    ],
)
def test_a_wrong_place_is_one_sentence_before_any_sampling(run, monkeypatch, words, expected):
    monkeypatch.setattr(generate, "draw", lambda pipe, settings: pytest.fail("it was drawn first"))
    for name in ("folder", "folder.png"):
        Path(name).mkdir()
    Path("file").write_text("x")
    code, out, err = run("a cat", *words)
    assert code == 2 and expected in err and err.count("\n") == 1 and not out
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder", "folder.png"]


@pytest.mark.parametrize("words", [[], ["--out", "x.png"]])
def test_a_place_that_cannot_be_written_is_noticed_before_any_sampling(run, monkeypatch, words):
    def full(self, data):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", full)
    monkeypatch.setattr(generate, "draw", lambda pipe, settings: pytest.fail("it was drawn first"))
    code, _, err = run("a cat", *words)
    assert code == 2 and "cannot be written (Read-only file system)" in err and err.count("\n") == 1


def test_a_named_file_is_replaced(run):
    Path("mine.PNG").write_text("something else")
    assert run("a cat", "--steps", 1, "--out", "mine.PNG")[0] == 0
    assert infotext.read("mine.PNG")["prompt"] == "a cat" and [path.name for path in Path().iterdir()] == ["mine.PNG"]
