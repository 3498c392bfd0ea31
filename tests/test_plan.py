"""The memory planner against the bytes of real tensors, its options, and out of memory in a process that lives on."""

import subprocess
import sys
from pathlib import Path

import pytest
import real
import torch

from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
from edu_diffusion.models import fit, planning

NARROW = {"1.5": real.sd15, "2": real.sd2, "xl": real.sdxl}
# diffusers hands numpy torch tensors in a way that numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def pipes():
    return {name: build() for name, build in NARROW.items()}


def tracked(pipe, batch=1, count=2, size=None, guidance=3.0):
    """The most bytes that real tensors held while steps.draw ran, without the weights."""
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    z_T = None if size is None else torch.randn(batch, 4, *(n // pipe.vae_scale_factor for n in size), dtype=pipe.unet.dtype)
    with models.Live([x for part in parts for x in planning.tensors(part)]) as live:
        steps.draw(pipe, ["a cat"] * batch, steps=count, guidance=guidance, z_T=z_T)
    return live.peak


def activations(plan):
    return max(plan.phases.values())


# ---------------------------------------------------------------- prediction against measurement


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("batch, size", [(1, (64, 64)), (3, (64, 64)), (2, (96, 128))])
def test_within_ten_per_cent_of_real_tensors(pipes, name, batch, size):
    plan = models.plan(pipes[name], batch=batch, size=size, steps=2)
    assert activations(plan) == pytest.approx(tracked(pipes[name], batch, size=size), rel=0.1)


def test_the_shipped_base():
    pipe = models.load("base", "cpu")
    for batch in (1, 4):
        plan = models.plan(pipe, batch=batch, steps=4)
        assert activations(plan) == pytest.approx(tracked(pipe, batch, 4), rel=0.1)
    assert plan.peak == pytest.approx(models.plan("base", batch=4, steps=4).peak, rel=1e-3)


def test_a_dtype_by_its_name():
    assert models.plan("base", dtype="float16") == models.plan("base", dtype=torch.float16)
    with pytest.raises(EduError, match="dtype is 'float8'; it must be"):
        models.plan("base", dtype="float8")


def test_without_guidance_the_unet_needs_half(pipes):
    plan, both = (models.plan(pipes["1.5"], guidance=g, size=128, steps=1) for g in (False, True))
    assert activations(plan) == pytest.approx(tracked(pipes["1.5"], count=1, size=(128, 128), guidance=1), rel=0.1)
    assert plan.phases["U-Net"] == pytest.approx(both.phases["U-Net"] / 2, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", ["1.5", "xl"])
def test_half_precision(name, dtype):
    pipe = NARROW[name]().to(dtype)
    plan = models.plan(pipe, batch=2, steps=2)
    assert plan.settings["dtype"] == dtype
    grown = plan.weights["vae"] if name == "xl" and dtype == torch.float16 else 0  # its VAE is decoded in float32
    assert plan.peak - sum(plan.weights.values()) == pytest.approx(tracked(pipe, 2) - grown, rel=0.1)


@pytest.mark.parametrize("setting", ["slicing", "tiling"])
def test_slicing_and_tiling(setting):
    pipe = real.sd15()
    pipe.vae.register_to_config(sample_size=64)
    pipe.vae.tile_latent_min_size, pipe.vae.tile_sample_min_size = 8, 64
    plain = models.plan(pipe, batch=3, size=128, steps=1)
    plan = models.plan(pipe, batch=3, size=128, steps=1, **{setting: True})
    pipe.vae.enable_slicing() if setting == "slicing" else pipe.vae.enable_tiling()
    z = torch.randn(3, 4, 16, 16)
    with models.Live(planning.tensors(pipe.vae)) as live:
        steps.decode(pipe, z)
    assert plan.phases["VAE decoder"] == pytest.approx(live.peak, rel=0.1)
    assert plan.phases["VAE decoder"] < 0.8 * plain.phases["VAE decoder"]


def test_weights_are_counted_to_the_byte(pipes):
    for pipe in pipes.values():
        wanted = sum(
            x.nbytes for part in pipe.components.values() if isinstance(part, torch.nn.Module) for x in planning.tensors(part)
        )
        assert sum(models.plan(pipe).weights.values()) == wanted
        assert 2 * sum(models.plan(pipe, dtype=torch.float16).weights.values()) == wanted


@pytest.mark.parametrize(
    "name, millions",  # as the models' papers and cards say: text encoders, U-Net, VAE
    [("sd15", {"text_encoder": 123, "unet": 860, "vae": 84}), ("sdxl", {"text_encoder": 123, "text_encoder_2": 695, "unet": 2567})],
)
def test_published_configurations_have_the_published_sizes(name, millions):
    weights = models.plan(name, size=64).weights
    assert {part: round(weights[part] / 4e6) for part in millions} == millions


def test_nothing_is_allocated():
    """The weights of 1.5 would take 4.3 GB in float32; a plan of them, some Python objects."""
    code = (
        "import resource, edu_diffusion.models as m; m.plan('base')\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(m.plan('sd15').peak, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)"
    )
    peak, grown = map(int, run(code).split())
    assert peak > 5e9 and grown < 0.5e9


# ---------------------------------------------------------------- what makes it fit


def test_offload_leaves_one_part_or_one_layer_in_memory():
    all_of_it, model, layer = (models.plan("sd15", offload=offload) for offload in (None, "model", "sequential"))
    assert model.resident["U-Net"] == all_of_it.weights["unet"]
    assert all_of_it.resident["U-Net"] == sum(all_of_it.weights.values())
    assert 0 < layer.resident["U-Net"] < 0.05 * model.resident["U-Net"]
    assert layer.peak < model.peak < all_of_it.peak


def test_every_option_needs_less_and_says_what_it_costs():
    found = models.options("sd15", gpu=True, batch=4, size=1024)
    names = [one.name.split(" (")[0] for one in found]
    assert names == [
        "VAE slicing",
        "VAE tiling",
        "float16",
        "a batch of 2",
        "a batch of 1",
        "model offload",
        "sequential offload",
        "all of these",
    ]
    now = models.plan("sd15", batch=4, size=1024)
    assert (
        all(one.plan.peak < now.peak and one.cost for one in found) and min(one.plan.peak for one in found) == found[-1].plan.peak
    )
    by = dict(zip(names, found))
    assert by["a batch of 1"].evaluations == 4 and by["model offload"].transfers == sum(now.weights.values())
    assert by["sequential offload"].transfers > 20 * now.weights["unet"]
    assert not any("offload" in one.name for one in models.options("sd15", batch=4))


def test_the_advice_names_only_what_fits():
    words = models.advice("sd15", budget=int(3e9))
    assert "takes about 5.1 GB" in words and "float16 would take 2.5 GB" in words and words.count("\n") == 0
    assert "nothing here makes it fit" in models.advice("sd15", budget=10**8)


@pytest.mark.parametrize(
    "source, settings, sentence",
    [
        ("base", {"size": 63}, "size is 63; it must be one or two multiples of 4"),
        ("base", {"size": (64, 64, 64)}, "size is"),
        ("base", {"size": 0}, "size is 0"),
        ("base", {"batch": 0}, "batch is 0; it must be a whole number from 1"),
        ("base", {"batch": True}, "batch is True"),
        ("base", {"steps": 1.5}, "steps is 1.5"),
        ("base", {"dtype": torch.int8}, "dtype is torch.int8; it must be"),
        ("base", {"offload": "disk"}, "offload is 'disk'; it must be None, 'model' or 'sequential'"),
        ({"unet": {}}, {}, "There is no configuration of the text_encoder"),
        ("canny", {}, "There is no configuration of the text_encoder"),
        ("nowhere", {}, "There is no model 'nowhere'"),
        (3, {}, "There is no configuration"),
    ],
)
def test_wrong_arguments_are_a_sentence(source, settings, sentence):
    with pytest.raises(EduError, match=sentence):
        models.plan(source, **settings)


# ---------------------------------------------------------------- out of memory


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
        ),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        RuntimeError("MPS backend out of memory"),
        MemoryError(),
    ],
)
def test_every_allocators_words_become_one_sentence(error):
    with pytest.raises(
        EduError, match=r"There is not enough memory: 2 pictures at once of 64 x 64.*a batch of 1 would take"
    ) as caught:
        with models.memory_guard("base", batch=2):
            raise error
    assert caught.value.__cause__ is None and str(caught.value).count("\n") == 0


def test_other_errors_pass_unchanged():
    for error in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("out of memory"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, models.memory_guard():
            raise error
        assert caught.value is error


def test_what_the_failed_run_held_is_freed():
    import weakref

    alive = []

    def draw():
        x = torch.zeros(10)
        alive.append(weakref.ref(x))
        raise torch.OutOfMemoryError("out of memory")

    with pytest.raises(EduError) as caught, models.memory_guard():
        draw()
    assert caught.value and alive[0]() is None  # though the exception is still there, and with it its context


def test_a_source_without_a_plan_still_gets_a_sentence():
    with pytest.raises(EduError, match="There is not enough memory: draw fewer or smaller pictures at once"):
        with models.memory_guard(object()):
            raise MemoryError


LIMITED = """
import resource, torch
torch.set_num_threads(1)
from edu_diffusion import models, steps
from edu_diffusion.errors import EduError
pipe = models.load("base", "cpu")
steps.draw(pipe, "a cat", steps=1)
models.plan(pipe, batch=2, steps=1)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20, resource.getrlimit(resource.RLIMIT_AS)[1]))
try:
    with models.memory_guard(pipe, batch=400, steps=1):
        steps.draw(pipe, ["a cat"] * 400, batch=400, steps=1)
except EduError as error:
    print(error)
print(tuple(steps.draw(pipe, "a cat", steps=1).shape))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit of the address space is Linux's")
def test_a_real_out_of_memory_is_survived():
    sentence, picture = run(LIMITED).splitlines()
    assert (
        sentence.startswith("There is not enough memory: 400 pictures at once of 64 x 64")
        and "a batch of 200 would take" in sentence
    )
    assert picture == "(1, 3, 64, 64)"


def run(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert not done.returncode, done.stderr
    return done.stdout


def test_live_counts_a_storage_once_and_only_while_it_lives():
    weight = torch.zeros(100)
    with models.Live([weight]) as live:
        x = torch.zeros(10)
        views = [x[:5], x.view(2, 5), weight.view(10, 10)]
        assert (live.now, live.peak) == (40, 40)
        y = x + 1
        assert live.now == 80
        del x, views
        assert (live.now, live.peak) == (40, 80)
        del y
        torch.ones(2, 3) @ torch.ones(3, 5)
        assert live.flops == 2 * 2 * 3 * 5


def test_live_forgets_a_weight_that_is_replaced():
    module = torch.nn.Linear(100, 100, bias=False)
    with models.Live(module.parameters()) as live:
        module.half()
        assert live.now == 20_000
    assert fit.is_full(MemoryError())
