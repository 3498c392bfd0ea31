"""Lesson 17's questions: letters and numbers say what is so, wrong answers get a fitting hint, right ones are accepted."""

import hashlib
import json
import shutil
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save_file

from edu_diffusion import models, steps
from edu_diffusion.data import checksums, layout, pickles
from edu_diffusion.exercises import arrange, merging, verdict
from edu_diffusion.exercises import checkpoints as bank
from edu_diffusion.train import ddpm, loop, state

UNET = models.path_of("base") / "unet" / "diffusion_pytorch_model.safetensors"


def refused(name, mine, fitting):
    right, words = verdict(name, mine)
    assert right is False and fitting in words, words


# ---------------------------------------------------------------- numbers and letters


def test_the_header_of_the_file_in_the_lesson_is_that_long():
    first = UNET.read_bytes()[:8]
    assert first[:2].hex(" ") == "a0 91" and not any(first[2:])
    assert bank.HEADER_LENGTH.right == layout.read(UNET).length == int.from_bytes(first, "little")
    assert verdict("header_length", 37_281).right is False, "one more is not right"
    assert "times" in verdict("header_length", 1234).words


def test_a_file_has_as_many_bytes_as_its_header_says(tmp_path):
    """The question's file, made: the library opens it whole, and refuses its first 5,000 bytes."""
    header = {"a": {"dtype": "F16", "shape": [2048], "data_offsets": [0, 4096]}}
    header |= {"b": {"dtype": "F16", "shape": [1024], "data_offsets": [4096, 6144]}}
    text = json.dumps(header).encode().ljust(456)
    whole = len(text).to_bytes(8, "little") + text + bytes(6144)
    assert whole[:8].hex(" ") == "c8 01 00 00 00 00 00 00" and len(load(whole)["b"]) == 1024
    assert bank.WHOLE_FILE.right == len(whole)
    with pytest.raises(Exception, match="not fully covered"):
        load(whole[:5000])


@pytest.mark.parametrize(
    "mine, fitting", [(6608 + 5000, "times as large"), (3304, "times too small"), ("6 kB", "must be a number")]
)
def test_other_numbers_of_bytes_are_refused(mine, fitting):
    refused("whole_file", mine, fitting)


def test_the_size_of_a_training_checkpoint_is_four_numbers_for_each_weight(tmp_path):
    model = torch.nn.Linear(64, 64)
    list(loop.fit(model, lambda step: model(torch.ones(1, 64)).square().mean(), steps=2, run=tmp_path))
    weights = sum(p.numel() for p in model.parameters())
    assert state.contents(tmp_path).bytes == 16 * weights, "four numbers of four bytes"
    assert bank.CHECKPOINT_SIZE.right == pytest.approx(16 * 860e6 / 1e9)
    assert verdict("checkpoint_size", 13.8).right and not verdict("checkpoint_size", 13.5).right


def test_the_canary_appears_for_pickle_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.ckpt").write_bytes(b"\x80\x02cio\nopen\n(X\x0a\x00\x00\x00canary.txtX\x01\x00\x00\x00wtR.")
    ran = [reader for reader, said in models.pickle_readers("a.ckpt").items() if "appeared" in said and "its code ran" in said]
    assert ran == ["pickle.load"] and bank.CANARY.right == "C"


def test_only_a_copy_has_the_same_model_hash(tmp_path):
    one = tmp_path / "one.safetensors"
    save_file({"w": torch.arange(6).half()}, one, {"format": "pt"})
    shutil.copy(one, tmp_path / "copy")
    save_file(load_file(one), tmp_path / "word", {"format": "pt ", **{}})
    save_file({"w": load_file(one)["w"].float()}, tmp_path / "full", {"format": "pt"})
    hashes = {name: checksums.model_hash(tmp_path / name).short for name in ("one.safetensors", "copy", "word", "full")}
    first = hashes.pop("one.safetensors")
    assert [name for name, found in hashes.items() if found == first] == ["copy"] and bank.MODEL_HASH.right == "B"
    assert first == hashlib.sha256(one.read_bytes()).hexdigest()[:10]


def training(run=None, steps=8):
    torch.manual_seed(0)
    unet = ddpm.build_digit_unet(2, (16,))

    def loss(step):
        x_0, labels, eps, t = ddpm.examples(8, 0, step)
        return ddpm.noise_loss(ddpm.predictor(unet, labels), x_0, eps, t, ddpm.LEVELS)

    return loop.fit(unet, loss, steps=steps, run=run, every=0)


def test_resumed_equals_uninterrupted_to_the_last_bit(tmp_path, monkeypatch):
    monkeypatch.delenv("EDU_DIFFUSION_SECONDS", raising=False)  # a bound in seconds would end the two at different steps
    for p in training(tmp_path):
        if p.step == 3:
            break
    *_, resumed = training(tmp_path)
    *_, whole = training()
    one, other = (p.model.state_dict() for p in (resumed, whole))
    assert resumed.step == whole.step == 8 and all(torch.equal(one[n], other[n]) for n in one)
    assert bank.RESUMED.right == "A"


# ---------------------------------------------------------------- merging


@pytest.fixture(scope="module")
def parents():
    import edu_diffusion as ed

    a, b = ed.load("base", "cpu"), ed.load_lora(ed.load("base", "cpu"), "lora")
    b.fuse_lora()
    b.unload_lora_weights()
    return a, b


def test_in_the_middle_both_parents_lose_more_than_half(parents):
    """Six prompts of each kind in ten steps here; the lesson takes 24 and 16 in twenty."""
    from edu_diffusion import metrics
    from edu_diffusion.data import newstyle
    from edu_diffusion.data.world import prompts
    from edu_diffusion.metrics.style import named

    ordinary, judge = prompts("core", "full")[:6], metrics.load_judge("cpu")
    new = [r for r in newstyle.rows() if (r["size"], r["place"], r["new"]) == ("big", "centre", 0)][:6]
    scores = []
    for weight in (0, 0.5, 1):
        pipe = models.merged(steps.weighted_sum, *parents, weight=weight)
        seen = named(metrics.draw(pipe, new, n_steps=10), new, "contrast")
        right = metrics.right(judge, metrics.draw(pipe, ordinary, n_steps=10), ordinary)["all"]
        scores.append((int(right.sum()), int((seen["style"] & seen["concept"]).sum())))
    assert scores[1][0] < scores[0][0] / 2 and scores[1][1] < scores[2][1] / 2, scores
    assert merging.MERGED.right == "D"


def test_a_merge_is_taken_apart(parents):
    a, b = (pipe.unet.state_dict() for pipe in parents)
    merged = steps.weighted_sum(a, b, 0.7)
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert not torch.allclose(a[name], b[name], atol=1e-3)
    assert torch.allclose(merging.unmerge(merged[name], a[name], 0.7), b[name], atol=1e-6)


def test_the_rule_is_the_one_of_the_package():
    for a, b, c, weight in merging.three():
        assert torch.equal(steps.add_difference({"w": a}, {"w": b}, {"w": c}, weight)["w"], merging.add_difference(a, b, c, weight))


def test_two_networks_trained_apart_have_a_mean_that_predicts_worse_than_either(monkeypatch):
    monkeypatch.delenv("EDU_DIFFUSION_SECONDS", raising=False)
    nets = []
    for seed in (0, 1):
        *_, last = ddpm.train_ddpm(minutes=None, steps=40, seed=seed, target="v")
        nets.append(last.model)
    mean = ddpm.build_digit_unet(*ddpm.SHAPES["v"])
    mean.load_state_dict(steps.weighted_sum(*(net.state_dict() for net in nets), 0.5))
    x_0, labels, eps, t = ddpm.examples(200, 5, 0)
    with torch.no_grad():
        losses = [ddpm.velocity_loss(ddpm.output(net, labels), x_0, eps, t, ddpm.LEVELS).item() for net in (*nets, mean)]
    assert losses[2] > max(losses[:2]) and merging.APART.right == "C", losses


# ---------------------------------------------------------------- functions


def test_the_files_of_the_cases_are_such_files():
    for content, name in bank.stored():
        assert torch.equal(load(content)[name], bank.read_tensor(content, name))


def with_numpy(content, name):
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length].decode())
    body = memoryview(content)[8 + length :]
    begin, _ = header[name]["data_offsets"]
    found = np.frombuffer(body, dtype=np.float16, count=int(np.prod(header[name]["shape"])), offset=begin)
    return torch.from_numpy(found.copy()).reshape(header[name]["shape"])


def by_hand(content, name):
    length = sum(byte * 256**k for k, byte in enumerate(content[:8]))
    entry = json.loads(content[8 : length + 8])[name]
    content = content[length + 8 :]
    numbers = torch.frombuffer(bytearray(content), dtype=torch.float16)
    return numbers[entry["data_offsets"][0] // 2 : entry["data_offsets"][1] // 2].view(*entry["shape"]).float()


def raw(content, name):
    length = int.from_bytes(content[:8], "little")
    start, end = json.loads(content[8 : 8 + length])[name]["data_offsets"]
    return content[8 + length :][start:end]


def first_decides(names, allowed):
    for name in names:
        return name in allowed


def with_a_loop(names, allowed):
    right = True
    for name in names:
        right = right and name in allowed
    return right


@pytest.mark.parametrize(
    "name, mine",
    [
        ("read_tensor", with_numpy),
        ("read_tensor", by_hand),
        ("read_tensor", lambda content, name: load(content)[name]),
        ("may_open", with_a_loop),
        ("may_open", lambda names, allowed: set(names) <= allowed),
        ("may_open", lambda names, allowed: not set(names) - set(allowed)),
        ("may_open", lambda names, allowed: not any(n not in allowed for n in names)),
        ("may_open", lambda names, allowed: sum(n in allowed for n in names) == len(names)),
        ("add_difference", lambda a, b, c, weight: torch.add(a, b - c, alpha=weight)),
        ("add_difference", lambda a, b, c, weight: weight * b - weight * c + a),
        ("unmerge", lambda m, a, weight: a + (m - a) / weight),
        ("unmerge", lambda m, a, weight: m / weight - a * ((1 - weight) / weight)),
        ("unmerge", lambda m, a, weight: torch.lerp(a, m, 1 / weight)),
    ],
)
def test_other_spellings_are_right(name, mine):
    assert verdict(name, mine).right, verdict(name, mine).words


def test_the_lines_in_their_order_are_right():
    shuffled = arrange("read_tensor").lines
    order = [shuffled.index(line) for line in bank.READ_TENSOR.lines[1:]]  # `def` stands above them
    assert verdict("read_tensor", arrange("read_tensor", "".join("ABCDEFGH"[i] for i in order))).right


def sliced(content, name, until):
    """Right but for the end of the slice: until(where the tensors begin, the two offsets)."""
    n = 8 + int.from_bytes(content[:8], "little")
    entry = json.loads(content[8:n])[name]
    start, end = entry["data_offsets"]
    data = content[n + start : until(n, start, end)]
    return torch.frombuffer(bytearray(data), dtype=torch.float16).view(*entry["shape"])


@pytest.mark.parametrize(
    "name, mine, fitting",
    [
        ("read_tensor", lambda content, name: content, "must return numbers"),
        ("read_tensor", lambda content, name: json.loads(content[8:])[name], "UnicodeDecodeError"),
        (
            "read_tensor",
            lambda content, name: json.loads(content[8 : 8 + int.from_bytes(content[:8], "big")])[name],
            "UnicodeDecodeError",
        ),
        ("read_tensor", lambda content, name: bank.read_tensor(content, name).T, "hape"),
        ("read_tensor", lambda content, name: bank.read_tensor(content, name).sum(), "mean or a sum"),
        ("read_tensor", lambda content, name: bank.read_tensor(content, name).flip(-1), "not in the right places"),
        ("read_tensor", lambda content, name: 2 * bank.read_tensor(content, name), "always 2 times"),
        ("read_tensor", lambda content, name: content[name], "TypeError"),
        ("read_tensor", lambda content, name: torch.tensor(list(raw(content, name))).half(), "single bytes"),
        ("read_tensor", lambda content, name: sliced(content, name, lambda n, start, end: n + start + end), "how long it is"),
        ("read_tensor", lambda content, name: sliced(content, name, lambda n, start, end: end), "the slice is empty"),
        ("may_open", first_decides, "only the first name"),
        ("may_open", lambda names, allowed: not set(names) & allowed, "one allowed name makes it refuse"),
        ("may_open", lambda names, allowed: all(n.startswith(tuple(allowed)) for n in names), "beginning of a name"),
        ("may_open", lambda names, allowed: set(names) < allowed, "<=, not <"),
        ("may_open", lambda names, allowed: len(names) == len(allowed), "is right in"),
        ("may_open", lambda names, allowed: [n for n in names if n not in allowed], "returns a list"),
        ("may_open", lambda names, allowed: names in allowed, "TypeError"),
        ("may_open", lambda names, allowed: None, "returns nothing"),
        ("may_open", lambda names, allowed: bool(names), "every file passes"),
        ("may_open", lambda names, allowed: len(names) <= len(allowed), "is right in"),
        ("add_difference", lambda a, b, c, weight: a, "result is"),
        ("add_difference", lambda a, b, c, weight: a + weight**2 * (b - c), "weight"),
        ("add_difference", lambda a, b, c, weight: a + 2 * weight * (b - c), "result is"),
        ("add_difference", lambda a, b, c, weight: (a + b - c) / 2, "expected is"),
        ("add_difference", lambda a, b, c, weight: a.add_(weight * (b - c)), "changes what it is given"),
        ("add_difference", lambda a, b, c, weight: a + (b - weight * c), "brackets are missing"),
        ("unmerge", lambda m, a, weight: a, "a itself"),
        ("unmerge", lambda m, a, weight: m - (1 - weight) * a / weight, "brackets are missing"),
        ("unmerge", lambda m, a, weight: (m - 1 - weight * a) / weight, "(1 - weight) * a"),
        ("unmerge", lambda m, a, weight: m, "result is"),
        ("unmerge", lambda m, a, weight: m - weight * a, "expected is"),
        ("unmerge", lambda m, a, weight: (a - (1 - weight) * m) / weight, "result is"),
    ],
)
def test_unseen_mistakes_get_a_fitting_hint(name, mine, fitting):
    refused(name, mine, fitting)


def test_a_header_that_is_read_eight_bytes_short_is_refused():
    """Spaces at its end must not hide that the 8 bytes before it were forgotten."""
    short = lambda content: json.loads(content[8 : int.from_bytes(content[:8], "little")])
    refused("read_tensor", lambda content, name: torch.zeros(short(content)[name]["shape"]), "JSONDecodeError")


def test_a_file_without_imports_may_be_opened():
    """An answer that says otherwise is right, and is told so."""
    right, words = verdict("may_open", lambda names, allowed: bool(names) and set(names) <= allowed)
    assert right and "imports nothing" in words


def test_a_deny_list_is_told_what_it_passes():
    right, words = verdict("may_open", lambda names, allowed: not any(word in n for n in names for word in bank.FORBIDDEN))
    assert right is False and "spawnv_passfds" in words


def test_the_cases_allow_nothing_that_the_package_refuses():
    assert bank.ALLOWED <= {str(name) for name in pickles.ALLOWED}
