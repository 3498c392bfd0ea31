"""Rebuild datasets/emoji, byte for byte, from six public npm packages.

    pip install -c constraints.txt pillow resvg_py
    python3 datasets/emoji/prepare.py            # needs npm on the PATH and the network; about a minute

Every package is pinned by its sha512. Nothing here runs when the data is used: this file documents how the
folder was made and lets anyone check it (`git status` stays clean afterwards).
"""

import base64
import collections
import csv
import gzip
import hashlib
import io
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))
from edu_diffusion.data import foreign, words  # noqa: E402  (the captions' grammar is defined once, there)

PACKAGES = {  # name@version: sha512 of the tarball, as npm publishes it
    "emoji-datasource-google@16.0.0":
        "ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==",
    "emoji-datasource-twitter@16.0.0":
        "7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==",
    "@iconify-json/fluent-emoji-flat@1.2.6":
        "RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
    "@iconify-json/fluent-emoji-high-contrast@1.2.6":
        "esqhZPpkrF7sNX3NsLoh8KW64okEr/bzko7WNnFP+qTJGAqDPDYjp0925yxuivXy3HtVQB8xhIKu3+Nq1byX5w==",
    "emojibase-data@17.0.0":
        "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
    "cldr-annotations-full@48.0.0":
        "7lQjJ3wu2IDz0ye5tXHiaIeDKcdM6/SgZwXO6vTu+A3NJ1SsKjKDF0kzghl3JgzoDP5ncxUKHTyMEKRIUTO5MQ==",
}
CELL, COLUMNS = 64, 32
LOSSLESS = {"lossless": True, "exact": True, "quality": 100, "method": 6}  # WebP: the pixels of a PNG in two thirds of its bytes
GROUPS = {0: "smileys", 1: "people", 3: "animals", 4: "food", 5: "travel", 6: "activities", 7: "objects"}
GENDERED = re.compile(r"\b(man|woman|men|women|boy|girl|merman|mermaid|prince|princess|Mrs|Mx)\b|facing right")
SKIPPED = re.compile(r"o’clock|-thirty$|^ZZZ$|hundred points|banknote|light skin|dark skin")
UNFIT = {*words.COLOURS, *words.SIZES, *words.STYLES, *words.PLACES, "style", "background", "picture"}  # these mean something
WHOLE_HELD_OUT, PAIR_SHARE = 50, 0.05
LONGEST = 3  # words of a name in another language
OTHERWISE = {"sobre", "not"}  # Spanish for an envelope, but also for "on"; Turkish for a memo
NOUN_LAST = {"de", "tr", "uk"}  # languages in which a noun follows its adjectives


def main():
    archives = {name.rsplit("@", 1)[0]: fetch(name, digest) for name, digest in PACKAGES.items()}
    read = {name: reader(data) for name, data in archives.items()}
    drawings = {
        "noto": bitmaps(read["emoji-datasource-google"], "google"),
        "twemoji": bitmaps(read["emoji-datasource-twitter"], "twitter"),
        "fluent": vectors(read["@iconify-json/fluent-emoji-flat"]),
        "contrast": vectors(read["@iconify-json/fluent-emoji-high-contrast"]),
    }
    entries = json.loads(read["emojibase-data"]("en/data.json"))
    concepts = choose(entries, drawings)
    for style, draw in drawings.items():
        sheet([draw(c["id"]) for c in concepts]).save(HERE / f"{style}.webp", **LOSSLESS)
    hold_out(concepts)
    add_aliases(concepts)
    write("captions.csv", ["id", "character", "name", "aliases", "keywords", "category", "tier"], concepts)
    pairs = held_out_pairs(concepts)
    write("heldout.csv", ["kind", "id", "value"], pairs)
    write("names.csv", ["id", "language", "name"], foreign_names(concepts, read["cldr-annotations-full"]))
    write("prompts.csv", ["split", "tier", "id", "category", "colour", "style", "size", "place", "count", "other", "prompt"],
          prompts(concepts, pairs))
    checksums()


# --- reading the packages ------------------------------------------------------------------------------

def fetch(name, digest):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", name, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        data = next(pathlib.Path(folder).glob("*.tgz")).read_bytes()
    if base64.b64encode(hashlib.sha512(data).digest()).decode() != digest:
        sys.exit(f"{name}: the package is not the one this file was written for (sha512 differs).")
    return data


def reader(data):
    """A function from a path inside the package to its bytes, or None."""
    archive = tarfile.open(fileobj=io.BytesIO(gzip.decompress(data)))  # seeking back in a .gz is slow
    members = {m.name.removeprefix("package/"): m for m in archive.getmembers()}
    return lambda path: archive.extractfile(members[path]).read() if path in members else None


def bitmaps(read, folder):
    """Drawings of an emoji-datasource package: concept id -> RGBA picture or None."""
    def draw(id):
        for code in (id, id + "-fe0f", _fe0f_inside(id)):
            if data := read(f"img/{folder}/64/{code}.png"):
                return Image.open(io.BytesIO(data)).convert("RGBA")
    return draw


def _fe0f_inside(id):
    head, _, tail = id.partition("-")
    return f"{head}-fe0f-{tail}"


def vectors(read):
    """Drawings of an iconify package, rasterised at 64 pixels: concept id -> RGBA picture or None."""
    import resvg_py
    icons, names = json.loads(read("icons.json")), json.loads(read("chars.json"))
    width, height = icons.get("width", 16), icons.get("height", 16)

    def draw(id):
        icon = icons["icons"].get(names.get(id, ""))
        if not icon:
            return None
        box = f"0 0 {icon.get('width', width)} {icon.get('height', height)}"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'
        svg = svg.replace("currentColor", "#212121")
        png = resvg_py.svg_to_bytes(svg_string=svg, width=CELL, height=CELL)
        return Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    return draw


# --- what is in the world ------------------------------------------------------------------------------

def choose(entries, drawings):
    """The concepts that all four styles draw, in Unicode order: no flags, variants or text symbols."""
    core = {line for line in (HERE / "core.txt").read_text().splitlines() if line and line[0] != "#"}
    concepts = []
    for entry in sorted(entries, key=lambda e: e.get("order", 0)):
        id = "-".join(part for part in entry["hexcode"].lower().split("-") if part != "fe0f")
        label, group = entry["label"], entry.get("group")
        gendered = group == 1 and GENDERED.search(label)
        if group not in GROUPS or gendered or SKIPPED.search(label) or not all(d(id) for d in drawings.values()):
            continue
        concepts.append({
            "id": id, "character": entry["emoji"], "name": clean(label), "category": GROUPS[group],
            "keywords": "|".join(clean(tag) for tag in entry.get("tags", [])),
            "tier": "core" if label in core else "wide",
        })
        core.discard(label)
    if core:
        sys.exit(f"core.txt names concepts that no package has: {sorted(core)}")
    return concepts


def clean(label):
    return re.sub(r"[“”:,()!.]", "", label.replace("’", "'")).lower().strip()


def order_key(*parts):
    """A shuffle that no library version can change."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def hold_out(concepts):
    """Mark 50 whole concepts, none of the core, as never seen by any training."""
    wide = sorted((c for c in concepts if c["tier"] == "wide"), key=lambda c: order_key("whole", c["id"]))
    for concept in wide[:WHOLE_HELD_OUT]:
        concept["tier"] = "heldout"


def add_aliases(concepts):
    """Other words that point to one concept only: the core's were chosen by hand, the rest is CLDR's."""
    chosen, taken = chosen_aliases(), {c["name"] for c in concepts}
    for tier in ("core", "wide"):
        members = [c for c in concepts if c["tier"] == tier]
        count = collections.Counter(word for c in members for word in set(c["keywords"].split("|")))
        for concept in members:
            known = [w for w in concept["keywords"].split("|") if count[w] == 1 and w not in taken | UNFIT]
            wanted = chosen.pop(concept["name"], []) if tier == "core" else (
                [w for w in known if re.fullmatch(r"[a-z][a-z \-]{2,}", w)][:4])
            if set(wanted) & (taken | UNFIT):
                sys.exit(f"aliases.txt: {set(wanted) & (taken | UNFIT)} already mean something, and not {concept['name']!r}.")
            concept["aliases"] = wanted
            taken.update(wanted)
    if chosen:
        sys.exit(f"aliases.txt names concepts that are not in the core: {sorted(chosen)}")
    for concept in concepts:
        concept["aliases"] = "|".join(concept.get("aliases", []))


def chosen_aliases():
    """aliases.txt: the name of a core concept -> its other names."""
    lines = (line.partition(": ") for line in (HERE / "aliases.txt").read_text().splitlines() if line[0] != "#")
    return {name: words.split(", ") for name, _, words in lines}


def foreign_names(concepts, read):
    """What things that are not held out are called in other languages, as CLDR does, and the nouns in the core's names.

    Names as long as "grinsendes Gesicht mit zusammengekniffenen Augen" are left out, and those that are English as well.
    """
    learned = [c for c in concepts if c["tier"] != "heldout"]
    english = {foreign.fold(name) for c in learned for name in (c["name"], *c["aliases"].split("|"))} | OTHERWISE
    return [{"id": c["id"], "language": language, "name": name} for language in foreign.LANGUAGES
            for c, names in zip(learned, names_in(language, learned, read)) for name in names if foreign.fold(name) not in english]


def names_in(language, concepts, read):
    """The names of each concept in a language; none belongs to two concepts, and "balık" to the fish, not to the tropical fish."""
    notes = json.loads(read(f"annotations/{language}/annotations.json"))["annotations"]["annotations"]
    noted = [notes.get(c["character"]) or notes.get(c["character"].replace("\ufe0f", "")) or {"tts": [""]} for c in concepts]
    owners, found = {}, [[] for _ in concepts]
    short = [(i, note["tts"][0]) for i, note in enumerate(noted) if len(note["tts"][0].split()) in range(1, LONGEST + 1)]
    plain = lambda item: (len(concepts[item[0]]["name"].split()), concepts[item[0]]["tier"] != "core")
    for i, name in sorted(short + nouns(language, concepts, noted), key=plain):
        if foreign.fold(name) not in owners:
            owners[foreign.fold(name)] = i
            found[i].append(name)
    return found


def nouns(language, concepts, noted):
    """(concept, noun): keywords of the core that begin its names, or end them in a language where adjectives come first.

    Concepts that share one must do so in English: "Herz" for a red heart and a broken one; it is then the shorter name's.
    """
    place, heads = -1 if language in NOUN_LAST else 0, collections.defaultdict(list)
    for i, (concept, note) in enumerate(zip(concepts, noted)):
        noun = foreign.fold(note["tts"][0]).split()[place:][:1]
        keyword = [word for word in note.get("default", []) if [foreign.fold(word)] == noun and not word.isdecimal()]
        if concept["tier"] == "core" and keyword and "face" not in concept["name"]:
            heads[keyword[0]].append(i)
    name = lambda i: concepts[i]["name"]
    return [(min(members, key=lambda i: len(name(i))), noun) for noun, members in heads.items()
            if len({name(i).split()[-1] for i in members}) == 1]


def held_out_pairs(concepts):
    """5 % of the concept x colour and of the concept x style pairs, at most one style per concept."""
    rows = [{"kind": "concept", "id": c["id"], "value": ""} for c in concepts if c["tier"] == "heldout"]
    for tier in ("core", "wide"):
        ids = [c["id"] for c in concepts if c["tier"] == tier]
        for kind, values in (("colour", list(words.COLOURS)), ("style", list(words.STYLES))):
            pairs = sorted(((i, v) for i in ids for v in values), key=lambda p: order_key(kind, *p))
            kept, seen = [], set()
            for id, value in pairs:
                if len(kept) < round(PAIR_SHARE * len(pairs)) and (kind == "colour" or id not in seen):
                    kept.append({"kind": kind, "id": id, "value": value})
                    seen.add(id)
            rows += kept
    return rows


def prompts(concepts, pairs):
    """The frozen list of every judgement. An empty cell means unsaid."""
    held = {(p["kind"], p["id"], p["value"]) for p in pairs}
    core, wide = ([c for c in concepts if c["tier"] == tier] for tier in ("core", "wide"))
    return [
        *named("full", core, held, 160), *opened(core, held), *by_category(), *learners(core, held),
        *named("aliases", [c for c in core if c["aliases"]], held, 110), *named("heldout_colour", core, held, 100),
        *named("heldout_style", core, held, 120), *several(core, held), *named("full", wide, held, 80),
        *named("heldout_colour", wide, held, 40), *named("heldout_style", wide, held, 80)]


def row(split, concept=None, tier="core", **said):
    """A row of prompts.csv; what is not given stays empty."""
    empty = dict.fromkeys(("category", "colour", "style", "size", "place", "count", "other"), "")
    return {"split": split, "tier": tier, "id": concept["id"] if concept else ""} | empty | said


def named(split, members, held, n):
    """Prompts that name a thing, a colour and a style, and mostly a size and a place; held out as the split says."""
    wanted = {"heldout_colour": (True, False), "heldout_style": (False, True)}.get(split, (False, False))
    candidates = [(c, colour, style) for c in members for colour in words.COLOURS for style in words.STYLES
                  if (("colour", c["id"], colour) in held, ("style", c["id"], style) in held) == wanted]
    candidates.sort(key=lambda c: order_key(split, c[0]["id"], c[1], c[2]))
    return [named_row(split, *c, index) for index, c in enumerate(spread(candidates, n))]


def named_row(split, concept, colour, style, index):
    size = ("medium", "big", "medium", "small", "medium", "big")[index % 6]
    place = "centre" if size == "big" or index % 2 else list(words.PLACES)[1 + index // 2 % 8]
    name, template = concept["name"], 0
    if split == "aliases":
        aliases = concept["aliases"].split("|")
        name, template = aliases[index % len(aliases)], 1 + index % 3
    said = {"colour": colour, "style": style, "size": size, "place": "" if split == "aliases" else place}
    return row(split, concept, concept["tier"], **said) | {"prompt": words.caption(name, template=template, **said)}


def spread(candidates, n):
    """The first n, each concept as rarely as possible."""
    used, rounds = {}, {}
    for candidate in candidates:
        id = candidate[0]["id"]
        used[id] = used.get(id, 0) + 1
        rounds.setdefault(used[id], []).append(candidate)
    return [c for number in sorted(rounds) for c in rounds[number]][:n]


def opened(core, held, n=120):
    """Prompts that leave two attributes or more unsaid; a third ask for things with habits, one in five for "a thing".

    None names a pair that is held out: the world has no such scenes to compare with.
    """
    habits = {r["id"] for r in table("habits.csv")}
    shuffled = sorted(core, key=lambda c: order_key("open", c["id"]))
    leaning, others = ([c for c in shuffled if (c["id"] in habits) == yes] for yes in (True, False))
    rows = []
    for i in range(n):
        concept = None if i % 5 == 4 else (leaning if i % 3 == 0 else others)[i % len(leaning if i % 3 == 0 else others)]
        colour, style = (next(v for v in values[i % len(values):] + values if not concept or (kind, concept["id"], v) not in held)
                         for kind, values in (("colour", list(words.COLOURS)), ("style", list(words.STYLES))))
        size, place = list(words.SIZES)[i % 3], list(words.PLACES)[i % 9]
        said = ({}, {"colour": colour}, {"style": style}, {"size": size}, {"place": place}, {"colour": colour, "style": style},
                {"size": size, "colour": colour})[i // 5 % 7]
        rows.append(row("open", concept, **said) | {
            "prompt": words.caption(concept["name"] if concept else words.THING, **said)})
    return rows


def by_category():
    """Prompts that name a category alone, or with a colour, a style or a size."""
    said = {r["category"]: r["said"] for r in table("categories.csv")}
    rows = []
    for i in range(6 * len(said)):
        category, kind = list(said)[i % len(said)], i // len(said)
        colour, style = list(words.COLOURS)[(3 * i + kind) % 10], words.STYLES[i % 3]
        more = ({}, {"colour": colour}, {"style": style}, {"colour": colour, "style": style}, {"place": "left"},
                {"colour": list(words.COLOURS)[(i + 5) % 10]})[kind]
        rows.append(row("category", category=category, **more) | {"prompt": words.sentence(said[category], **more)})
    return rows


def learners(core, held):
    """What people wrote who never saw the grammar (learners.csv); nouns that no caption knows are kept apart.

    Pairs that are held out have splits of their own; where several things are asked for, size and place are not judged.
    """
    by_name = {c["name"]: c for c in core}
    rows = []
    for r in table("learners.csv"):
        concept = by_name[clean(r["name"])]
        said = {key: r[key] for key in ("colour", "style", "size", "place")}
        count = "" if r["count"] == "1" else r["count"]
        if any((kind, concept["id"], r[kind]) in held for kind in ("colour", "style")):
            continue
        said |= {"size": "", "place": ""} if count else {}
        rows.append(row("unseen_wording" if calls(r["prompt"], concept) else "unknown_word", concept, count=count, **said)
                    | {"prompt": r["prompt"]})
    return rows


def calls(prompt, concept):
    """Whether a prompt calls a thing by one of its known names, one slip of the fingers allowed."""
    spoken = re.findall(r"[a-z0-9'-]+", prompt.lower())
    for name in (concept["name"], *filter(None, concept["aliases"].split("|"))):
        for form in (name.lower(), words.plural(name).lower()):
            length = len(form.split())
            runs = (" ".join(spoken[i:i + length]) for i in range(len(spoken) - length + 1))
            if any(run == form or (len(form) > 3 and slip(run, form)) for run in runs):
                return True
    return False


def slip(one, other):
    """Whether two words differ by one letter lost, added, changed, or two swapped."""
    if abs(len(one) - len(other)) > 1:
        return False
    cuts = [(one[:i], one[i:]) for i in range(len(one) + 1)]
    letters = "abcdefghijklmnopqrstuvwxyz- "
    return other in {a + b[1:] for a, b in cuts if b} | {a + c + b for a, b in cuts for c in letters} | {
        a + c + b[1:] for a, b in cuts if b for c in letters} | {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}


def several(core, held, n=100):
    """Two or three of a thing, and two different things, on a colour; half of them with a style."""
    shuffled = sorted(core, key=lambda c: order_key("several", c["id"]))
    free = lambda c, colour, style: ("colour", c["id"], colour) not in held and ("style", c["id"], style) not in held
    counts, pairs = [], []
    for i in range(4 * n):
        one, other = shuffled[i % len(shuffled)], shuffled[(i * 7 + 3) % len(shuffled)]
        colour, style = list(words.COLOURS)[(i * 3 + i // 10) % 10], words.STYLES[i % 3]
        said = {"colour": colour, "style": style if i % 2 else ""}
        if free(one, colour, style) and len(counts) < n:
            prompt = words.caption(one["name"], count=2 + i // 2 % 2, **said)
            counts.append(row("counts", one, count=str(2 + i // 2 % 2), **said) | {"prompt": prompt})
        if free(one, colour, style) and free(other, colour, style) and one != other and len(pairs) < n:
            prompt = words.sentence(" and ".join(words.noun_phrase(c["name"]) for c in (one, other)), **said)
            pairs.append(row("pairs", one, other=other["id"], **said) | {"prompt": prompt})
    return counts + pairs


def table(name):
    with open(HERE / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- writing -------------------------------------------------------------------------------------------

def sheet(drawings):
    """All drawings of a style on one transparent sheet, 32 to a row, each in a 64-pixel cell."""
    rows = -(-len(drawings) // COLUMNS)
    canvas = Image.new("RGBA", (COLUMNS * CELL, rows * CELL))
    for index, drawing in enumerate(drawings):
        if drawing.size != (CELL, CELL):
            drawing = drawing.resize((CELL, CELL), Image.LANCZOS)
        canvas.paste(drawing, (index % COLUMNS * CELL, index // COLUMNS * CELL))
    return canvas


def write(name, columns, rows):
    with open(HERE / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def checksums():
    files = sorted(p for p in HERE.iterdir() if p.suffix in {".webp", ".csv", ".txt"})
    table = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
    (HERE / "checksums.json").write_text(json.dumps(table, indent=1) + "\n", newline="\n")


if __name__ == "__main__":
    main()
