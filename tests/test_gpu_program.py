"""tests/benchmarks/gpu.py on the CPU: two steps of every stage, and that what it composes is what the world renders."""

import json
import pathlib
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from edu_diffusion import metrics, models
from edu_diffusion.data import conditions, scenes

BENCHMARKS = str(pathlib.Path(__file__).parent / "benchmarks")


@pytest.fixture(scope="module", autouse=True)
def beside():
    """The program's parts lie beside it."""
    sys.path.insert(0, BENCHMARKS)
    yield
    sys.path.remove(BENCHMARKS)


@pytest.fixture(scope="module")
def gpu(beside):
    import runpy

    return runpy.run_path(str(pathlib.Path(BENCHMARKS, "gpu.py")))


@pytest.fixture(scope="module")
def cells(beside):
    from gpu import compose

    return compose.drawings("cpu")


@pytest.fixture(scope="module")
def results(gpu, tmp_path_factory):
    """The folder that a dry run leaves."""
    out, cache = tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("cache")
    gpu["main"](
        [
            "--out",
            str(out),
            "--cache",
            str(cache),
            "--device",
            "cpu",
            "--pool",
            "24",
            "--batch",
            "3",
            "--steps",
            "2",
            "--no-compile",
            "--workers",
            "0",
            "--stages",
            "clip,base,judge,canny,segmentation",
        ]
    )
    return out


def test_a_dry_run_takes_two_steps_of_every_stage(results):
    found = json.loads((results / "results.json").read_text(encoding="utf-8"))
    stages = ("clip", "base", "judge", "canny", "segmentation")
    assert [found[name].get("value", found[name]).get("steps") for name in stages] == [2] * 5
    assert "the end" in (results / "log.txt").read_text(encoding="utf-8")


def test_no_more_than_eight_files_of_at_most_15_mib(results):
    sizes = [path.stat().st_size for path in results.iterdir()]
    assert len(sizes) <= 8 and max(sizes) < 15 * 2**20


def test_the_weights_open_where_they_belong(results):
    names = ("unet", "text_encoder", "clip", "canny", "segmentation", "judge")
    own = {name: load_file(results / f"{name}.safetensors") for name in names}
    base = models.path_of("base")
    assert own["unet"].keys() == load_file(base / "unet" / "diffusion_pytorch_model.safetensors").keys()
    assert own["text_encoder"].keys() == load_file(base / "text_encoder" / "model.safetensors").keys()
    assert own["clip"].keys() == load_file(models.path_of("clip") / "model.safetensors").keys()
    for kind in ("canny", "segmentation"):
        assert own[kind].keys() == load_file(models.path_of(kind) / "diffusion_pytorch_model.safetensors").keys()
    metrics.Judge().load_state_dict(own["judge"])


def test_the_base_moved_and_the_condition_is_heard(results):
    before = load_file(models.path_of("base") / "unet" / "diffusion_pytorch_model.safetensors")
    after = load_file(results / "unet.safetensors")
    assert any((after[name] != before[name]).any() for name in after)
    assert load_file(results / "canny.safetensors")["controlnet_mid_block.weight"].any()


def test_composed_pictures_are_the_worlds_own(cells):
    from gpu import compose

    spec = scenes.draw_spec(60, torch.Generator().manual_seed(1), "core", many=0.6)
    assert (spec.other >= 0).any() and set(spec.count.tolist()) == {1, 2, 3}
    images, masks = compose.compose(cells, compose.layout_of(spec), compose.grounds(spec.colour))
    rendered, wanted = scenes.render(spec)
    assert (images - rendered).abs().max() <= 2 / 255 and torch.equal(masks, wanted)


def test_the_judges_scenes_stand_where_the_worlds_do(cells):
    from gpu import compose, sight

    torch.manual_seed(0)
    layout = sight.Draws("cpu").layout(40)
    spec = scenes.Spec(
        layout.things[:, 0],
        layout.colour,
        layout.style,
        layout.size,
        layout.place,
        torch.ones(40, dtype=torch.long),
        torch.full((40,), -1),
    )
    assert torch.equal(compose.compose(cells, layout, compose.grounds(layout.colour))[1], scenes.render(spec)[1])


def test_a_segmentation_map_is_the_worlds_own():
    from gpu import control

    spec = scenes.draw_spec(9, torch.Generator().manual_seed(2))
    maps = control.shades()[spec.concept][:, :, None, None]
    assert torch.equal(maps, conditions.segmentation(torch.ones(9, 1, 1, 1, dtype=torch.bool), spec))


def test_pairs_with_the_same_thing_and_colour_are_not_held_against_each_other():
    from gpu import towers

    emb = torch.eye(3)[[0, 0, 1]]
    scale = torch.tensor(5.0)
    assert towers.masked_loss(emb, emb, scale, torch.tensor([7, 7, 8])) < 1e-3
    assert towers.masked_loss(emb, emb, scale, torch.tensor([6, 7, 8])) > 0.4


def test_a_compiled_unet_with_another_gradient_is_not_taken(gpu, tmp_path):
    from gpu import base

    args = gpu["options"](["--out", str(tmp_path), "--device", "cpu", "--batch", "2"])
    parts = base.Parts(args.start, args.tokenizer, args.device)
    batch = torch.randn(2, 4, 16, 16), parts.empty.repeat(2, 1)
    right, wrong = base.forward(parts.unet), lambda z_t, t, c: 0.8 * base.forward(parts.unet)(z_t, t, c)
    assert base.distance(parts, right, batch) == 0 and base.distance(parts, wrong, batch) > base.FAR


def test_a_stage_that_is_late_is_stopped_and_says_so(beside):
    from gpu import checks

    def nested():
        checks.attempt(lambda: time.sleep(0.01), 5)
        time.sleep(5)

    began = time.monotonic()
    assert "TimeoutError" in checks.attempt(nested, 0.2)["failed"] and time.monotonic() - began < 3
    assert checks.attempt(lambda: __import__("no_such_package"), 5).keys() == {"skipped", "seconds"}
