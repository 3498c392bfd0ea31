"""Fast or good? Images by few calls of the U-Net, from the library's samplers and from a distilled LoRA.

What counts is calls of the U-Net for one image: a step with guidance takes two, and each of Heun's steps two, the last one.
Open captions (the world's own), full captions and open prompts are measured apart: a caption that says everything leaves
little to be lost by a single step.

excess        Fréchet distance to real scenes less that of as many other real scenes, for images of the world's captions
concept, all  share of images of full captions in which the concept, and everything, is right
calibration   distance of what open prompts leave unsaid from the world's own distribution
"""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from ..data.world import prompts
from . import calibration
from .accuracy import right
from .frechet import interval
from .judge import Judge
from .sampling import GUIDANCE
from .statistics import paired, score
from .steps import against_real

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

SAMPLERS = {
    "DDIM": "DDIMScheduler",
    "Heun": "HeunDiscreteScheduler",
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "UniPC": "UniPCMultistepScheduler",
    "LCM": "LCMScheduler",
    "TCD": "TCDScheduler",
}
TRAINING_FREE = ("DDIM", "Heun", "DPM++ 2M", "UniPC")
ETA = 0.6  # how much of TCD's noise is new: of 0, 0.3, 0.6 and 1 the best, see TRAINING.md
DISTILLED = (("LCM", 0.0), ("TCD", 0.0), ("TCD", ETA))  # sampler, eta
TIE = 1e-3  # a smaller excess is not told from zero: avoids dividing by it


class Way(NamedTuple):
    """How images are drawn: with which sampler, guidance, and number of calls of the U-Net.

    lora: with the LoRA. eta: of TCD, from 0, no new noise, to 1, all of it new as in LCM.
    """

    sampler: str
    guidance: float
    calls: int
    lora: bool = False
    eta: float = 0.0

    def steps(self) -> int:
        """The number of steps that takes at most this many calls, at least one step."""
        each = self.calls if self.guidance == 1 else self.calls // 2
        return (each + 1) // 2 if self.sampler == "Heun" else each

    def name(self) -> str:
        """For metrics.json, such as "lora_lcm_4", or "lora_tcd06_4" with eta 0.6."""
        own = self.sampler.lower().replace("++ ", "pp_") + (f"{10 * self.eta:02.0f}" if self.eta else "")
        return f"{'lora_' if self.lora else ''}{own}_{self.calls}" + ("" if self.guidance == 1 else "_guided")


REFERENCE = Way("DDIM", GUIDANCE, 100)
CALLS = (1, 2, 4, 8)
CALIBRATED = (
    Way("DDIM", 1.0, 20),
    Way("DDIM", GUIDANCE, 40),
    Way("DDIM", 1.0, 4),
    Way("TCD", 1.0, 4, True, ETA),
    Way("LCM", 1.0, 1, True),
)


def ways(calls: Sequence[int] = CALLS, guidance: float = GUIDANCE) -> list[Way]:
    """All ways that are compared: every training-free sampler without and with guidance, and the LoRA's samplers."""
    plain = [Way(sampler, g, n) for n in calls for sampler in TRAINING_FREE for g in (1.0, guidance)]
    lora = [Way(sampler, 1.0, n, True, eta) for n in calls for sampler, eta in DISTILLED]
    return [REFERENCE, *(way for way in plain if way.steps() >= 1), *lora]


@contextlib.contextmanager
def drawing(pipe: "StableDiffusionPipeline", way: Way) -> Iterator[None]:
    """Give a pipeline the sampler of a way, and switch its LoRA on or off, inside the block."""
    import diffusers

    own = pipe.scheduler
    pipe.scheduler = getattr(diffusers, SAMPLERS[way.sampler]).from_config(own.config)
    adapters = any(pipe.get_list_adapters().values())
    if adapters:
        (pipe.enable_lora if way.lora else pipe.disable_lora)()
    try:
        yield
    finally:
        pipe.scheduler = own
        if adapters:
            pipe.enable_lora()


@torch.no_grad()
def draw(pipe: "StableDiffusionPipeline", rows: Sequence[dict], way: Way, seed: int = 0, batch: int = 40) -> torch.Tensor:
    """Images of the prompts, (B, 3, 64, 64), by the library's own call of the pipeline; image i uses seed + i."""
    found = []
    with drawing(pipe, way):
        for i in range(0, len(rows), batch):
            few = [r["prompt"] for r in rows[i : i + batch]]
            rng = [torch.Generator().manual_seed(seed + i + k) for k in range(len(few))]
            how = {"num_inference_steps": way.steps(), "guidance_scale": way.guidance, "generator": rng, "output_type": "pt"}
            found.append(pipe(few, eta=way.eta, **how).images * 2 - 1)
    return torch.cat(found).float().cpu()


def few_step_scores(
    pipe: "StableDiffusionPipeline",
    judge: Judge,
    among: Sequence[Way] | None = None,
    n: int = 400,
    limit: int | None = None,
    seeds: Sequence[int] = (0,),
    tier: str = "core",
) -> dict[str, dict]:
    """Scores of several ways: {name: score}; see above. pipe: with its LoRA loaded, if one is among them.

    n: images in each set of a Fréchet distance. limit: number of full captions. excess_ratio_*: to the REFERENCE's;
    excess_over_*: minus the best training-free one's with as many calls; concept_change_*: minus the REFERENCE's, paired.
    """
    among = list(among or ways())
    full, hits = prompts(tier, "full")[:limit], {}
    found: dict[str, dict] = {}
    for way in among:
        pictures = torch.cat([draw(pipe, full, way, seed) for seed in seeds])
        hits[way] = right(judge, pictures, full * len(seeds))
        found |= {f"{part}_{way.name()}": score(hits[way][part]) for part in ("concept", "all")}
    values = of_ways(pipe, judge, among, n, tier)
    found |= {f"excess_{way.name()}": interval(value, n) for way, value in values.items()}
    return found | against_reference(values, hits, n) | against_free(values, n)


def of_ways(pipe, judge, among, n, tier="core"):
    """The excesses of several ways: {way: (1 + resamples,)}."""
    return against_real(judge, {way: functools.partial(draw, pipe, way=way, seed=5000) for way in among}, n, tier)


def against_reference(values, hits, n):
    """The distilled ways beside the teacher with 100 calls: ratio of the excess, and change of the concept."""
    if REFERENCE not in values:
        return {}
    least, mine = values[REFERENCE].clamp(min=TIE), [way for way in values if way.lora]
    ratios = {f"excess_ratio_{way.name()}": interval(values[way] / least, n) | {"unit": "times"} for way in mine}
    return ratios | {f"concept_change_{way.name()}": paired(hits[REFERENCE]["concept"], hits[way]["concept"]) for way in mine}


def against_free(values, n):
    """The excess of the distilled ways minus that of the best training-free one with as many calls; below 0 is better."""
    found = {}
    for way in (way for way in values if way.lora):
        free = [values[other] for other in values if not other.lora and other.calls == way.calls]
        if free:
            found[f"excess_over_{way.name()}"] = interval(values[way] - min(free, key=lambda v: float(v[0])), n)
    return found


def closer(pipe: "StableDiffusionPipeline", judge: Judge, calls: int = 4, n: int = 1000) -> dict[str, dict]:
    """excess_over_* with as many calls as here, from more images: 400 do not tell a small difference from none."""
    among = [way for way in ways([calls]) if way.calls == calls]
    return against_free(of_ways(pipe, judge, among, n), n)


def few_step_calibrations(
    pipe: "StableDiffusionPipeline", judge: Judge, limit: int | None = None, among: Sequence[Way] = CALIBRATED, seeds: int = 60
) -> dict[str, dict]:
    """The calibration of several ways on open prompts, with floor and excess: {name: score}. limit: number of prompts."""
    rows = calibration.open_prompts(limit)
    found: dict[str, dict] = {}
    for way in among:
        images = functools.partial(lambda way, rows, seed: draw(pipe, rows, way, seed), way)
        one = calibration.calibration_scores(pipe, judge, rows=rows, seeds=seeds, images=images)
        found |= {f"{part}_{way.name()}": one[part] for part in ("calibration", "calibration_floor", "calibration_excess")}
    return found
