"""Side by side in one run: the same diffusion model trained on pixels and on latents, with equal time and parameters.

    python3 tests/benchmarks/pixels.py                        # an hour and a half on two slow CPU cores
    python3 tests/benchmarks/pixels.py --minutes 0.2 --pictures 16 --rates 7e-4        # a quick test

Both start with CLIP's text encoder, since the base's was fine-tuned along with a U-Net for latents. First each
side is tuned: the learning rate whose shortest run gives the smallest distance. Then each is trained from scratch for every
budget, its learning rate falling to zero at the deadline. Printed: the Fréchet distance of generated to real scenes on the
judge's features, and the sampling time per image. The VAE's own training time is printed too: it is part of the cost.
"""

import argparse
import json
import time

import torch

from edu_diffusion import metrics, models
from edu_diffusion.data import files, scenes
from edu_diffusion.metrics.frechet import features
from edu_diffusion.steps import abar, ddim_step, sample, scaled_linear_betas, spaced_levels, to_eps
from edu_diffusion.train.latent import zero_residuals
from edu_diffusion.train.loop import fit, generator, plain_attention
from edu_diffusion.train.losses import drop_captions, latent_loss
from edu_diffusion.train.parts import Parts, text_encoder_of

BATCH, STEPS = 32, 20
LEVELS = abar(scaled_linear_betas())


class Latents:
    """16 x 16 x 4 numbers, encoded and decoded by the shipped VAE."""

    shape, build = (4, 16, 16), staticmethod(models.build_unet)

    def __init__(self, parts):
        self.vae, self.encode = parts.vae, parts.latents

    @torch.no_grad()
    def decode(self, z_0):
        return self.vae.decode(z_0 / self.vae.config.scaling_factor).sample.clamp(-1, 1)


class Pixels:
    """64 x 64 x 3 numbers; one resolution level more, so that attention works on the same 8 x 8 and 16 x 16 maps as for latents."""

    shape = (3, 64, 64)

    def __init__(self, parts):
        self.encode, self.decode = lambda images: images, lambda x_0: x_0.clamp(-1, 1)

    @staticmethod
    def build():
        from diffusers import UNet2DConditionModel

        down, up = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
        return UNet2DConditionModel(
            sample_size=64,
            in_channels=3,
            out_channels=3,
            block_out_channels=(32, 64, 128, 128),
            layers_per_block=1,
            down_block_types=(down[0], *down, down[1]),
            up_block_types=(up[0], *up, up[1]),
            cross_attention_dim=models.WIDTH,
            attention_head_dim=4,
        )


SIDES = {"latents": Latents, "pixels": Pixels}


def train(kind, minutes, lr):
    """Train one side to a deadline; returns (space, U-Net, text encoder's parts)."""
    parts = Parts(None, None, torch.device("cpu"))
    parts.text_encoder = text_encoder_of(models.path_of("clip"))
    space = kind(parts)
    torch.manual_seed(0)
    unet = plain_attention(zero_residuals(kind.build()))
    both = torch.nn.ModuleDict({"unet": unet, "text_encoder": parts.text_encoder}).train()

    def loss(step):
        rng, scene = generator(0, step), scenes.batch(BATCH, step)
        return latent_loss(unet, space.encode(scene.images), parts.text(drop_captions(scene.captions, rng)), LEVELS, rng)

    for progress in fit(both, loss, minutes=minutes, lr=lr):
        pass
    both.eval()
    return space, unet, parts, progress.step


@torch.no_grad()
def draw(space, unet, parts, captions):
    """Images for captions, without guidance, and the seconds per image."""
    start, c = time.perf_counter(), parts.text(captions)
    model = lambda x, t: to_eps(unet(x, t, c).sample, x, LEVELS[t], "v_prediction")  # noqa: E731
    x_T = torch.randn(len(captions), *space.shape, generator=torch.Generator().manual_seed(0))
    for state in sample(model, x_T, spaced_levels(LEVELS, STEPS), step=ddim_step):
        pass
    return space.decode(state.x_s), (time.perf_counter() - start) / len(captions)


def measure(kind, minutes, lr, real, captions, network):
    """(distance, optimiser steps, seconds per image) of one training run."""
    space, unet, parts, count = train(kind, minutes, lr)
    drawn = [draw(space, unet, parts, captions[i : i + 50]) for i in range(0, len(captions), 50)]
    images = torch.cat([pictures for pictures, _ in drawn])
    return metrics.frechet_distance(features(network, real), features(network, images)), count, drawn[0][1]


def main():
    args = parser().parse_args()
    network = metrics.load_judge("cpu")
    one = scenes.batch(2000, 31)
    other = scenes.batch(args.pictures, 32)
    for kind in [SIDES[args.only]] if args.only else SIDES.values():
        print(f"{kind.__name__.lower()}: {sum(p.numel() for p in kind.build().parameters()):,} parameters")
        trials = {lr: measure(kind, args.minutes[0], lr, one.images, other.captions, network)[0] for lr in args.rates}
        best = min(trials, key=trials.get)
        print("  rates:", ", ".join(f"{lr:g} -> {d:.2f}" for lr, d in trials.items()), f"; taken {best:g}", flush=True)
        for minutes in args.minutes:
            far, count, seconds = measure(kind, minutes, best, one.images, other.captions, network)
            print(f"  {minutes:g} min, {count} steps: distance {far:.2f}, {seconds:.3f} s a picture", flush=True)
    card = json.loads((files.folder("checkpoints", "base") / "card.json").read_text(encoding="utf-8"))
    floor = metrics.frechet_distance(features(network, one.images), features(network, other.images))
    print(f"the VAE took {card['vae_minutes']} minutes once; real scenes are {floor:.2f} apart")


def parser():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--minutes", type=float, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--rates", type=float, nargs="+", default=[7e-4, 1.5e-3, 3e-3])
    options.add_argument("--pictures", type=int, default=500)
    options.add_argument("--only", choices=SIDES, help="one side alone, to continue a run that was stopped")
    return options


if __name__ == "__main__":
    main()
