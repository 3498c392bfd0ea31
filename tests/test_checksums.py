"""One flipped byte is noticed where the file is read: weights, configurations, tokenizer, adapters, tables and sprites."""

import os
import shutil

import pytest

from edu_diffusion import models
from edu_diffusion.data import checksums, digits, files, photos, words, world
from edu_diffusion.errors import EduError

pytestmark = pytest.mark.fault("silent")

SHIPPED = {
    "base": lambda folder: models.load(folder, "cpu"),
    "clip": lambda folder: models.load_clip(folder, "cpu"),
    "canny": lambda folder: models.load_control(folder, "cpu"),
    "lora": models.locate.adapter_file,
    "inversion": models.locate.adapter_file,
}


def flip(path, at=-1):
    """Change one bit of one byte, as a bad disk does; the size stays."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))


def listed(name):
    return checksums.manifest(files.PACKAGE / "checkpoints" / name)[1]


@pytest.mark.parametrize("name, file", [(name, file) for name in SHIPPED for file in listed(name)])
def test_every_file_of_a_checkpoint(tmp_path, name, file):
    copy = shutil.copytree(files.PACKAGE / "checkpoints" / name, tmp_path / name, copy_function=os.link)
    flip(copy / file)
    with pytest.raises(EduError, match="is damaged or missing: card.json has another checksum for it; copy the folder again"):
        SHIPPED[name](copy)
    (copy / "card.json").unlink()
    assert checksums.manifest(copy) == ("", {}), "without a list nothing is compared"


READ = {"emoji": lambda: world.World().sprites("noto"), "digits": digits.digits.__wrapped__, "photos": lambda: photos.photo("cat")}


@pytest.mark.parametrize("name", READ)
def test_every_data_set(tmp_path, monkeypatch, name):
    folder = files.folder("datasets", name)
    for file in checksums.manifest(folder)[1]:
        copy = tmp_path / file / "datasets"
        shutil.copytree(folder, copy / name, copy_function=os.link)
        flip(copy / name / file, at=len((copy / name / file).read_bytes()) // 2)
        monkeypatch.setattr(files, "PACKAGE", tmp_path / file)
        with pytest.raises(EduError, match="is damaged or missing: checksums.json has another"):
            READ[name]()
        with pytest.raises(EduError, match=f"{name}/{file}"):
            checksums.checked(name)


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("1")
    files.write_json(tmp_path / "checksums.json", {"a": files.sha256(tmp_path / "a")})
    read, sha256 = [], files.sha256
    monkeypatch.setattr(files, "sha256", lambda path: read.append(path) or sha256(path))
    checksums.check(tmp_path)
    checksums.check(tmp_path)
    assert len(read) == 1
    (tmp_path / "a").write_text("2")
    os.utime(tmp_path / "a", ns=(0, 1))
    with pytest.raises(EduError, match="a is damaged"):
        checksums.check(tmp_path)
    (tmp_path / "a").unlink()
    with pytest.raises(EduError, match="a is damaged or missing"):
        checksums.check(tmp_path)


def test_words_read_the_same_folder():
    assert words.plural("cat face") and checksums.checked("emoji").name == "emoji"
