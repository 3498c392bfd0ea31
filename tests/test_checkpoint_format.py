"""A checkpoint file, byte by byte: what a .safetensors header says and what is refused, and a pickle that is never executed."""

import hashlib
import io
import json
import pickle
import warnings
import zipfile

import pytest
import torch
from look import described_and_legible
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save, save_file

from edu_diffusion import models
from edu_diffusion.data import checksums, files, layout, pickles
from edu_diffusion.errors import EduError
from edu_diffusion.figures import checkpoint
from edu_diffusion.models import canary, conversion, lora
from edu_diffusion.train import state

SHIPPED = sorted((files.PACKAGE / "checkpoints").rglob("*.safetensors"))
UNET = files.PACKAGE / "checkpoints" / "base" / "unet" / "diffusion_pytorch_model.safetensors"


# ---------------------------------------------------------------- safetensors


def written(path, header, body=b"", length=None):
    """Write a file by hand: the length field, the header (a dict or bytes), the tensors' bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + body)
    return path


def one(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_the_readable_header_equals_the_library(path):
    ours = layout.read(path)
    with safe_open(path, "pt") as file:
        assert set(ours.tensors) == set(file.keys()) and ours.metadata == (file.metadata() or {})
        for name, entry in ours.tensors.items():
            part = file.get_slice(name)
            assert (entry.dtype, list(entry.shape)) == (part.get_dtype(), part.get_shape())
    assert ours.begin + max(entry.end for entry in ours.tensors.values()) == path.stat().st_size and not ours.not_text


def test_the_bytes_of_every_tensor_equal_the_library(tmp_path):
    kinds = [dtype for dtype in layout.DTYPES.values()]
    tensors = {f"t.{i}": torch.arange(6).reshape(2, 3).to(dtype) for i, dtype in enumerate(kinds)}
    tensors |= {"empty": torch.zeros(0, 4), "number": torch.tensor(2.5)}
    save_file(tensors, tmp_path / "a.safetensors")
    for path in (tmp_path / "a.safetensors", UNET):
        ours, library = layout.all_tensors(path), load_file(path)
        assert ours.keys() == library.keys()
        assert all(ours[n].dtype == library[n].dtype and torch.equal(ours[n], library[n]) for n in ours)
    assert torch.equal(layout.tensor(tmp_path / "a.safetensors", "number"), torch.tensor(2.5))
    with pytest.raises(EduError, match="has no tensor 'other'"):
        layout.tensor(tmp_path / "a.safetensors", "other")


def test_the_length_is_a_whole_number_with_its_lowest_byte_first():
    assert layout.header_length(bytes([2, 1, 0, 0, 0, 0, 0, 0]), 1000) == 258


BROKEN = {
    "no length": (b"abc", "it has 3 bytes"),
    "absurd length": ((2**63).to_bytes(8, "little") + b"{}", "where 100000000 are allowed"),
    "a length beyond the file": ((50).to_bytes(8, "little") + b"{}", "has 50 bytes, and only 2 follow"),
}
WRONG = {
    "overlap": ({"a": one(), "b": one(offsets=(4, 12))}, 12, "'b' overlaps the tensor before it: it begins at byte 4, not 8"),
    "twice the same bytes": ({"a": one(), "b": one()}, 8, "'b' overlaps"),
    "gap": ({"a": one(), "b": one(offsets=(12, 20))}, 20, "'b' leaves a gap"),
    "gap at the start": ({"a": one(offsets=(4, 12))}, 12, "'a' leaves a gap"),
    "too few bytes": ({"a": one()}, 4, "its tensors take 8 bytes, and 4 follow"),
    "too many bytes": ({"a": one()}, 12, "its tensors take 8 bytes, and 12 follow"),
    "another shape": ({"a": one(shape=(3,))}, 8, "'a' has 8 bytes, which does not fit F32 of the shape [3]"),
    "backwards": ({"a": one(offsets=(8, 0))}, 8, "'a' has -8 bytes"),
    "negative": ({"a": one(offsets=(-8, 0))}, 8, "of 'a' are impossible"),
    "a truth value": ({"a": one("BOOL", (True,), (0, 1))}, 1, "of 'a' are impossible"),
    "unknown dtype": ({"a": one("F33")}, 8, "of 'a' are impossible"),
    "nothing said": ({"a": {"dtype": "F32"}}, 8, "does not say dtype, shape and data_offsets of 'a'"),
    "three offsets": ({"a": one(offsets=(0, 4, 8))}, 8, "does not say"),
    "a list": (b'{"a": []}', 0, "does not say"),
    "not JSON": (b'{"a": ', 0, "its header is not JSON"),
    "not an object": (b"[1, 2]", 0, "does not begin with {"),
    "not UTF-8": (b'{"\xff": 1}', 0, "is not UTF-8"),
    "nested": (b'{"a": ' + b"[" * 100_000, 0, "is nested too deeply"),
    "twice the same name": (
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        8,
        "has 'a' twice",
    ),
}


def refused(path, words):
    with pytest.raises(EduError) as caught:
        layout.read(path)
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.fault("silent")
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_length_is_refused_here_and_by_the_library(tmp_path, case):
    content, words = BROKEN[case]
    (tmp_path / "a.safetensors").write_bytes(content)
    refused(tmp_path / "a.safetensors", words)
    with pytest.raises(SafetensorError):
        safe_open(tmp_path / "a.safetensors", "pt")


@pytest.mark.fault("silent")
@pytest.mark.parametrize("case", WRONG)
def test_a_broken_header_is_refused_here_and_by_the_library(tmp_path, case):
    header, size, words = WRONG[case]
    path = written(tmp_path / "a.safetensors", header, bytes(size))
    refused(path, words)
    if case != "twice the same name":  # the library takes one of the two without a word
        with pytest.raises(SafetensorError):
            safe_open(path, "pt")


def test_a_place_that_is_no_file_is_one_sentence(tmp_path):
    refused(tmp_path, "cannot be read")
    refused(tmp_path / "nothing", "cannot be read")


def test_parts_count_tensors_and_bytes(tmp_path):
    save_file({"a.x": torch.zeros(2), "a.y": torch.zeros(3), "b.c.x": torch.zeros(1)}, tmp_path / "a.safetensors")
    ours = layout.read(tmp_path / "a.safetensors")
    assert layout.parts(ours) == {"a": (2, 20), "b": (1, 4)}
    assert set(layout.parts(ours, 2)) == {"a.x", "a.y", "b.c"}


# ---------------------------------------------------------------- metadata that is not text


def with_numbers(path, source):
    """The file `source` with a number, a list and nothing in its metadata, as some programs write it."""
    content = source.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = {**header.get("__metadata__", {}), "ss_epoch": 3, "tags": ["cat"], "none": None, "kind": "lora"}
    return written(path, header, content[8 + length :])


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    return models.to_single_file("base", tmp_path_factory.mktemp("single") / "base.safetensors")


def test_metadata_that_is_not_text_becomes_its_json_text(tmp_path):
    path = with_numbers(tmp_path / "a.safetensors", UNET)
    with pytest.raises(SafetensorError, match="expected a string"):
        safe_open(path, "pt")
    ours = layout.read(path)
    assert ours.not_text == ("ss_epoch", "tags", "none")
    assert {"ss_epoch": "3", "tags": '["cat"]', "none": "null", "kind": "lora"}.items() <= ours.metadata.items()
    copy = layout.rewritten(path, tmp_path / "b.safetensors")
    with safe_open(copy, "pt") as file:
        assert file.metadata() == ours.metadata
    before, after = load_file(UNET), load_file(copy)
    assert before.keys() == after.keys() and all(torch.equal(before[n], after[n]) for n in before)
    assert not layout.read(copy).not_text and layout.read(copy).begin % 8 == 0


def test_metadata_that_is_no_object(tmp_path):
    assert layout.read(written(tmp_path / "a.safetensors", {"__metadata__": [1]})).not_text == ("__metadata__",)
    assert layout.read(written(tmp_path / "b.safetensors", {"__metadata__": None})).metadata == {}


@pytest.mark.fault("wrong")
def test_a_file_with_such_metadata_is_loaded_all_the_same(tmp_path, single, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    ours = models.load(with_numbers(tmp_path / "a.safetensors", single), "cpu").unet.state_dict()
    expected = models.load(single, "cpu").unet.state_dict()
    assert all(torch.equal(ours[name], expected[name]) for name in expected)
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.fault("wrong")
def test_a_lora_with_such_metadata_is_loaded_all_the_same(tmp_path):
    source = files.PACKAGE / "checkpoints" / "lora" / "pytorch_lora_weights.safetensors"
    path, pipe = with_numbers(tmp_path / "a.safetensors", source), models.load("base", "cpu")
    ours, library = lora.read(path, pipe), lora.read(source, pipe)
    assert ours.keys() == library.keys() and all(torch.equal(ours[k]["up"], library[k]["up"]) for k in ours)
    assert models.load_lora(pipe, path).get_list_adapters() == {"unet": ["lora"]}


@pytest.mark.fault("ugly")
def test_a_folder_with_such_metadata_is_refused_by_the_entry_s_name(tmp_path):
    models.convert("base", tmp_path / "m")
    target = tmp_path / "m" / "unet" / UNET.name
    with_numbers(tmp_path / "a.safetensors", target).replace(target)
    (tmp_path / "m" / "card.json").unlink()
    with pytest.raises(EduError, match="has ss_epoch, tags, none in its metadata, which is not text"):
        models.load(tmp_path / "m", "cpu")


def test_no_file_of_ours_has_such_metadata(single):
    found = [layout.read(path) for path in (*SHIPPED, single)]
    assert not [name for ours in found for name in ours.not_text] and any(ours.metadata for ours in found)


# ---------------------------------------------------------------- pickles


class Call:
    """A pickle of it calls a function when it is opened."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


SPAWN = (  # starts a program; no common list of forbidden names has it
    b"\x80\x02cmultiprocessing.util\nspawnv_passfds\n(U\x09/bin/true]U\x04truea)tR."
)
WEIGHTS = {"a": torch.arange(4.0), "b": torch.nn.Parameter(torch.ones(2).half()), "c": torch.Size([1])}


def names(path):
    return [str(name) for name in pickles.imports(path)]


@pytest.mark.parametrize("new", [True, False], ids=["zip", "old form"])
def test_a_checkpoint_of_torch_imports_only_what_weights_need(tmp_path, new):
    torch.save(WEIGHTS, tmp_path / "a.ckpt", _use_new_zipfile_serialization=new)
    assert names(tmp_path / "a.ckpt") == [
        "collections.OrderedDict",
        "torch.FloatStorage",
        "torch.HalfStorage",
        "torch.Size",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_tensor_v2",
    ]
    assert not pickles.not_allowed(tmp_path / "a.ckpt")
    assert "imports only names that weights need" in pickles.verdict(tmp_path / "a.ckpt")
    assert torch.equal(torch.load(tmp_path / "a.ckpt", weights_only=True)["a"], WEIGHTS["a"])


def test_what_is_allowed_here_torch_allows_as_well():
    from torch._weights_only_unpickler import _get_allowed_globals

    assert {str(name) for name in pickles.ALLOWED} <= set(_get_allowed_globals())


@pytest.mark.parametrize("bad", [Call(open, "x", "w"), Call(print), Call(eval, "1")], ids=["open", "print", "eval"])
def test_the_names_equal_those_that_torch_finds(tmp_path, bad):
    torch.save({"w": torch.zeros(1), "bad": bad}, tmp_path / "a.ckpt")
    found = torch.serialization.get_unsafe_globals_in_checkpoint(tmp_path / "a.ckpt")
    assert {str(name).replace("__builtin__", "builtins") for name in pickles.not_allowed(tmp_path / "a.ckpt")} == {
        name.replace("__builtin__", "builtins") for name in found
    }


@pytest.mark.fault("silent")
@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("form", ["bare", "zip", "old form", "first of several"])
def test_a_call_is_named_in_every_protocol_and_form_and_nothing_is_run(tmp_path, protocol, form):
    path, bad = tmp_path / "a.ckpt", {"w": [1, "x"], "bad": Call(open, str(tmp_path / "canary.txt"), "w")}
    if form in ("bare", "first of several"):
        path.write_bytes(pickle.dumps(bad, protocol) + (pickle.dumps(1) if form != "bare" else b""))
    else:
        torch.save(bad, path, pickle_protocol=protocol, _use_new_zipfile_serialization=form == "zip")
    assert names(path) in (["io.open"], ["_io.open"])
    assert "do not open it" in pickles.verdict(path) and "open" in pickles.verdict(path)
    with pytest.raises(EduError, match=r"this one would import _?io.open: do not open it"):
        models.load(path, "cpu")
    with pytest.raises(pickle.UnpicklingError), warnings.catch_warnings(action="ignore"):
        torch.load(path, weights_only=True)
    assert not (tmp_path / "canary.txt").exists()


@pytest.mark.fault("silent")
def test_a_function_on_no_common_list_is_refused_by_an_allow_list(tmp_path):
    (tmp_path / "a.ckpt").write_bytes(SPAWN)
    assert names(tmp_path / "a.ckpt") == ["multiprocessing.util.spawnv_passfds"]
    assert "would import multiprocessing.util.spawnv_passfds" in pickles.verdict(tmp_path / "a.ckpt")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.ckpt", weights_only=True)
    with pytest.raises(EduError, match="would import multiprocessing.util.spawnv_passfds"):
        models.convert(tmp_path / "a.ckpt", tmp_path / "a.safetensors", config="base")


def zipped(content, *extra):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, data in (("archive/data.pkl", content), *extra):
            archive.writestr(name, data)
    return stream.getvalue()


EVIL, GOOD = pickle.dumps(Call(open, "x", "w"), 4), pickle.dumps([1], 4)
HIDDEN = {
    "the name only execution would tell": (b"\x80\x04\x8c\x02os\x8c\x06system0\x8c\x06system\x93.", "only execution would tell"),
    "a name from the memo": (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x30\x30h\x00h\x01\x93.", "os.system"),
    "another name in the memo": (
        b"\x80\x04\x8c\x0bcollectionsq\x05\x8c\x02osq\x0500\x8c\x01x0h\x05\x8c\x06system\x93.",
        "os.system",
    ),
    "something else in the memo": (b"\x80\x04]\x94\x30h\x00\x8c\x06system\x93.", "only execution would tell"),
    "an instance of old": (b"(S'echo'\nios\nsystem\n.", "os.system"),
    "an extension": (b"\x80\x02\x82\x05.", "copyreg.extension 5"),
    "an allowed function by another module's name": (b"\x80\x04\x8c\x05torch\x8c\x0b_utils.load\x93.", "torch._utils.load"),
    "a zip file appended": (EVIL + zipped(GOOD), "is not a pickle, or a damaged one"),
    "a second pickle of one name": (zipped(GOOD, ("archive/data.pkl", EVIL)), "two files of one name"),
    "capital letters": (zipped(GOOD, ("archive/DATA.PKL", EVIL)), "two files of one name"),
    "a pickle beside the first": (zipped(GOOD, ("archive/constants.pkl", EVIL)), "io.open"),
    "a zip file without a pickle": (zipped(b"").replace(b"data.pkl", b"data.txt"), "without a pickle"),
    "a damaged zip file": (zipped(EVIL)[:-30], "zip file that cannot be read"),
    "cut off": (EVIL[:-1], "damaged one"),
    "bytes after the end": (GOOD + b"\x00\x01", "is not a pickle"),
    "a web page": (b"<html>404</html>", "is not a pickle"),
    "nothing": (b"", "is empty"),
    "an absurd length": (b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.", "damaged one"),
}


@pytest.mark.fault("silent")
@pytest.mark.parametrize("case", HIDDEN)
def test_what_is_hidden_or_damaged_is_not_to_be_opened(tmp_path, case):
    content, words = HIDDEN[case]
    (tmp_path / "a.ckpt").write_bytes(content)
    verdict = pickles.verdict(tmp_path / "a.ckpt")
    assert words in verdict and verdict.endswith("do not open it.") and "\n" not in verdict
    with pytest.raises(EduError):
        conversion.from_pickle(tmp_path / "a.ckpt")


@pytest.mark.fault("ugly")
def test_a_pickle_of_too_many_instructions_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pickles, "MOST_OPCODES", 100)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(list(range(200))))
    with pytest.raises(EduError, match="more than 100 instructions"):
        pickles.imports(tmp_path / "a.pkl")
    monkeypatch.setattr(pickles, "MOST_BYTES", 20)
    (tmp_path / "b.ckpt").write_bytes(zipped(pickle.dumps(list(range(200)))))
    with pytest.raises(EduError, match="a pickle of more than"):
        pickles.imports(tmp_path / "b.ckpt")


def test_the_instructions_are_those_of_pickletools(tmp_path):
    import pickletools

    (tmp_path / "a.pkl").write_bytes(EVIL)
    ours = [(code.name, code.argument, code.place) for code in pickles.opcodes(tmp_path / "a.pkl")]
    assert ours == [(code.name, argument, place) for code, argument, place in pickletools.genops(EVIL)]
    with pytest.raises(EduError, match="cannot be read"):
        pickles.opcodes(tmp_path / "nothing.pkl")


def test_a_plain_pickle_of_plain_values_imports_nothing(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": [1, 2.5, None, "os", "system"]}))
    assert pickles.imports(tmp_path / "a.pkl") == [] and "imports nothing" in pickles.verdict(tmp_path / "a.pkl")


# ---------------------------------------------------------------- the canary


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_canary_appears_for_pickle_alone(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Call(open, "canary.txt", "w"), protocol))
    said = models.pickle_readers("a.pkl")
    assert said.pop("pickle.load") == "opened it, and its code ran: canary.txt appeared."
    assert len(said) == 3 and all("refused" in text or "do not open it" in text for text in said.values())
    assert protocol == 4 or "open was not an allowed global" in said["torch.load(weights_only=True)"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pkl"]
    assert "a.pkl would import" in said["data.pickles.verdict"] and str(tmp_path) not in str(said)


def test_a_pickle_without_code_creates_no_canary(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(["canary.txt"], 2))
    said = models.pickle_readers(tmp_path / "a.pkl")
    assert said["pickle.load"] == "opened it; no file appeared." and "imports nothing" in said["data.pickles.verdict"]
    torch.save({"w": torch.zeros(2)}, tmp_path / "b.ckpt")
    assert canary.refusal(lambda: torch.load(tmp_path / "b.ckpt", weights_only=True)) == "opened it."


@pytest.mark.fault("lost")
@pytest.mark.parametrize(
    "call",
    [(eval, "1"), (open, "../x", "w"), (open, "/tmp/x", "w"), (open, "C:x", "w"), (open, "a\\x", "w"), (print, "x")],
    ids=lambda call: f"{call[0].__name__}-{call[1]}",
)
def test_any_other_pickle_is_not_run(tmp_path, monkeypatch, call):
    monkeypatch.setattr(canary, "run", lambda path: pytest.fail("it was run"))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Call(*call)))
    with pytest.raises(EduError, match="so it is not run"):
        models.pickle_readers(tmp_path / "a.pkl")


# ---------------------------------------------------------------- hash, state, figure


def test_the_model_hash_is_sha256_and_its_first_ten_digits(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    found = checksums.model_hash(tmp_path / "a")
    assert found.sha256 == hashlib.sha256(b"abc").hexdigest() and found.short == "ba7816bf8f"
    (tmp_path / "b").write_bytes(b"abd")
    assert checksums.model_hash(tmp_path / "b").short != found.short
    for nothing in (tmp_path, tmp_path / "c"):
        with pytest.raises(EduError, match="has no model hash"):
            checksums.model_hash(nothing)


def saved_run(folder, steps=3):
    """A run folder with the state after some steps of Adam on a layer."""
    from types import SimpleNamespace

    layer = torch.nn.Linear(4, 3)
    optimiser = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 4)).sum().backward()
    optimiser.step()
    names, masters = zip(*layer.named_parameters())
    weights = SimpleNamespace(names=names, masters=masters, arithmetic="autocast")
    state.State(folder, weights, [p.detach().clone() for p in masters], optimiser).save(steps, 90.0, 0.5)
    return folder


def test_a_training_checkpoint_is_four_times_the_model(tmp_path):
    found = state.contents(saved_run(tmp_path / "run"))
    assert (found.step, found.minutes) == (3, 1.5)
    assert {name: (p.tensors, p.numbers, p.bytes) for name, p in found.parts.items()} == dict.fromkeys(state.PARTS, (2, 15, 60))
    assert found.bytes == 240 and str(found).splitlines()[0] == "step 3, after 1.5 minutes, 0.0 MB"
    assert len(str(found).splitlines()) == 5 and "EMA" in str(found)
    assert found.bytes == layout.read(tmp_path / "run" / "state.safetensors").tensors["weight.weight"].end


@pytest.mark.fault("ugly")
def test_the_contents_of_a_damaged_or_missing_state(tmp_path):
    run = saved_run(tmp_path / "run")
    state.state_file(run).replace(state.previous_file(run))
    state.state_file(run).write_bytes(b"half a file")
    assert state.contents(run).step == 3  # of the state before it
    state.previous_file(run).unlink()
    with pytest.raises(EduError, match="holds no training state that can be read"):
        state.contents(run)


def drawing(parts=None, first=None, header=None):
    content = save({"model.x": torch.zeros(500), "first.y": torch.zeros(300)}, {"a": "b"})
    header = int.from_bytes(content[:8], "little") if header is None else header
    parts = {"first": (1, 1200), "model": (2, 2000)} if parts is None else parts
    return checkpoint.checkpoint_layout(first or content[:80], header, parts, "my.safetensors")


def test_the_figure_describes_every_part():
    picture = drawing()
    described_and_legible(picture)
    for words in ("my.safetensors", "first 1 tensor, 1200 bytes, 35.6%", "model 2 tensors, 2000 bytes, 59.4%", '{"__metadata__"'):
        assert words in picture.alt
    assert picture.png == drawing().png != drawing({"first": (1, 2200), "model": (1, 1000)}).png


def test_the_bar_is_to_scale():
    from look import pixels

    row = pixels(drawing())[checkpoint.TOP + 5, checkpoint.LEFT : checkpoint.LEFT + checkpoint.WIDE]
    changes = [0, *((row[1:] != row[:-1]).any(axis=1).nonzero()[0] + 1), len(row)]
    widths = [b - a for a, b in zip(changes, changes[1:])]
    total = 3200 + 8 + int.from_bytes(save({"model.x": torch.zeros(500), "first.y": torch.zeros(300)}, {"a": "b"})[:8], "little")
    expected = [round(size / total * checkpoint.WIDE) for size in (8, total - 3208, 1200, 2000)]
    assert len(widths) == 4 and all(abs(a - b) <= 2 for a, b in zip(widths, expected))


def test_the_figure_refuses_other_bytes():
    with pytest.raises(ValueError, match="must be the file's first bytes"):
        drawing(header=7)
