"""Short experiments, side by side in one run: what helps U-Net and VAE most at equal training time from scratch?

    python3 tests/benchmarks/trials.py                          # 18 trials of 65 seconds, three shapes: half an hour on two cores
    python3 tests/benchmarks/trials.py --seconds 5 --only eps   # a quick test of one

Every trial of the first table changes one thing of the first row (an ablation), and starts with CLIP's text encoder. Printed:
mean squared error of the velocity on unseen scenes, at five timesteps, whatever the prediction type. The first row is printed
for two seeds, to show the random variation, and without the moving average of its weights; the shipped base is printed for
comparison. The second table trains a VAE of every latent shape, then a U-Net on its latents.
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import torch

from edu_diffusion import metrics, models
from edu_diffusion.data import scenes
from edu_diffusion.metrics.frechet import features
from edu_diffusion.steps import abar, cosine_betas, q_sample, scaled_linear_betas, snr, to_eps, to_x0, velocity
from edu_diffusion.train.latent import zero_residuals
from edu_diffusion.train.loop import fit, generator, plain_attention
from edu_diffusion.train.losses import drop_captions, sample_timesteps
from edu_diffusion.train.parts import encode_text, text_encoder_of
from edu_diffusion.train.vae import latent_std, vae_loss

LEVELS = abar(scaled_linear_betas())
SHOWN = (100, 300, 500, 700, 900)
POOL = 120
SHAPES = {
    "16 x 16 x 4, as shipped": {},
    "16 x 16 x 8": {"latent_channels": 8},
    "8 x 8 x 16": {
        "latent_channels": 16,
        "block_out_channels": (16, 32, 64, 64),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
}


def even(n, rng):
    return sample_timesteps(n, rng, k=1)


def logit_normal(n, rng):
    return torch.randn(n, generator=rng).sigmoid()


def min_snr_5(abar_t):
    """Weight of the velocity's error: min(snr, 5) / (snr + 1) (Hang et al. 2023, section 3.4)."""
    return snr(abar_t).clamp(max=5) / (snr(abar_t) + 1)


def zero_output(unet):
    for number in unet.conv_out.parameters():
        torch.nn.init.zeros_(number)
    return unet


class Trial(NamedTuple):
    """One training variant; the defaults are the first row."""

    lr: float = 2e-3
    batch: int = 32
    target: str = "v_prediction"
    abar: torch.Tensor = LEVELS
    weight: Callable = torch.ones_like
    levels: Callable = even
    begun: Callable = zero_residuals
    dropped: float = 0.1
    frozen: bool = False
    unet: dict = {}
    seed: int = 0


CROSS = {"down_block_types": ("CrossAttnDownBlock2D",) * 3, "up_block_types": ("CrossAttnUpBlock2D",) * 3}
TRIALS = {
    "v, AdamW 2e-3, batch 32, evenly drawn levels": Trial(),
    "the same, another seed": Trial(seed=1),
    "AdamW 7e-4": Trial(lr=7e-4),
    "AdamW 4e-3": Trial(lr=4e-3),
    "batch 16": Trial(batch=16),
    "batch 64": Trial(batch=64),
    "eps": Trial(target="epsilon"),
    "x_0": Trial(target="sample"),
    "min-SNR 5": Trial(weight=min_snr_5),
    "logit-normal levels": Trial(levels=logit_normal),
    "the noisier of two levels": Trial(levels=sample_timesteps),
    "cosine schedule": Trial(abar=abar(cosine_betas())),
    "nothing begun at zero": Trial(begun=lambda unet: unet),
    "the output alone begun at zero": Trial(begun=zero_output),
    "no captions dropped": Trial(dropped=0.0),
    "text encoder frozen": Trial(frozen=True),
    "cross-attention at 16 x 16 as well": Trial(unet=CROSS),
    "widths 96, 128, 128": Trial(unet={"block_out_channels": (96, 128, 128)}),
}


@torch.no_grad()
def encoded(vae, n=POOL, seed=0):
    """n batches of 64 scenes: (scaled latents, captions)."""
    some = (scenes.batch(64, seed * 1_000_003 + i) for i in range(n))
    return [(vae.encode(s.images).latent_dist.mean * vae.config.scaling_factor, s.captions) for s in some]


def train(trial, seconds, pool, tokenizer):
    """One trial: (U-Net and text encoder with the moving average of their weights, number of steps, the last step's own weights).

    It starts with CLIP's text encoder, before any fine-tuning with a U-Net.
    """
    torch.manual_seed(trial.seed)
    text_encoder = text_encoder_of(models.path_of("clip"))
    unet = plain_attention(trial.begun(resized(trial.unet)))
    both = torch.nn.ModuleDict({"unet": unet, "text_encoder": text_encoder.requires_grad_(not trial.frozen)}).train()
    last = [p.detach().clone() for p in both.parameters()]

    def loss(step):
        rng, (z_0, captions) = generator(trial.seed, step), pool[step % len(pool)]
        c = encode_text(tokenizer, text_encoder, drop_captions(captions[: trial.batch], rng, trial.dropped))
        t = (trial.levels(trial.batch, rng) * len(trial.abar)).long()
        eps = torch.randn(z_0[: trial.batch].shape, generator=rng)
        error = unet_error(trial, unet, z_0[: trial.batch], eps, t, c)
        return (trial.weight(trial.abar[t]) * error.square().mean((1, 2, 3))).mean()

    for progress in fit(both, loss, minutes=seconds / 60, lr=trial.lr):
        torch._foreach_copy_(last, [p.detach() for p in both.parameters()])
    return both.eval(), progress.step, last


def unet_error(trial, unet, z_0, eps, t, c):
    """The U-Net's prediction minus its target, of any prediction type; (B, C, h, w)."""
    z_t = q_sample(z_0, eps, trial.abar[t])
    truth = {"v_prediction": lambda: velocity(z_0, eps, trial.abar[t]), "epsilon": lambda: eps, "sample": lambda: z_0}
    return unet(z_t, t, c).sample.float() - truth[trial.target]()


@torch.no_grad()
def judged(trial, both, tokenizer, unseen):
    """Mean squared error of the velocity at the five timesteps of SHOWN, for any prediction type."""
    z_0, captions = unseen
    eps = torch.randn(z_0.shape, generator=torch.Generator().manual_seed(7))
    c, found = encode_text(tokenizer, both["text_encoder"], captions), []
    for wanted in LEVELS[list(SHOWN)]:
        t = (trial.abar - wanted).abs().argmin()
        level = trial.abar[t]
        z_t = q_sample(z_0, eps, level)
        out = both["unet"](z_t, t, c).sample
        v = velocity(to_x0(out, z_t, level, trial.target), to_eps(out, z_t, level, trial.target), level)
        found.append((v - velocity(z_0, eps, level)).square().mean().item())
    return found


def resized(changes):
    """A new U-Net of the shipped shape with these settings changed."""
    blank = models.build_unet()
    return type(blank).from_config({**blank.config, **changes}) if changes else blank


def row(name, errors, steps=""):
    print(f"| {name} | {steps} | " + " | ".join(f"{e:.3f}" for e in errors) + f" | {sum(errors) / len(errors):.4f} |", flush=True)


def compare(args):
    """The first table."""
    base = models.load("base", "cpu")
    latents, captions = zip(*encoded(base.vae, 4, seed=777))
    pool = encoded(base.vae)
    unseen = (torch.cat(latents), sum(captions, []))
    tokenizer = base.tokenizer
    print("| trial | steps | " + " | ".join(map(str, SHOWN)) + " | mean |\n|" + "---|" * (len(SHOWN) + 3))
    row("the shipped base", judged(Trial(), {"unet": base.unet, "text_encoder": base.text_encoder}, tokenizer, unseen))
    for name, trial in TRIALS.items():
        if args.only and args.only not in name:
            continue
        both, steps, last = train(trial, args.seconds, pool, tokenizer)
        row(name, judged(trial, both, tokenizer, unseen), steps)
        if name == next(iter(TRIALS)):
            torch._foreach_copy_([p.detach() for p in both.parameters()], last)
            row("the same, its weights not averaged", judged(trial, both, tokenizer, unseen), steps)


def shapes(args):
    """The second table."""
    print("\n| latent | VAE parameters | its steps | dB on unseen concepts | U-Net steps | Fréchet distance |\n|" + "---|" * 6)
    network = metrics.load_judge("cpu")
    real = scenes.batch(2000, 31).images
    tokenizer = models.load("base", "cpu").tokenizer
    for name, changes in SHAPES.items():
        if args.only and args.only not in name:
            continue
        vae, vae_steps = new_vae(changes, args.seconds)
        channels, edge = vae.config.latent_channels, 64 // 2 ** (len(vae.config.block_out_channels) - 1)
        trial = Trial(unet={"in_channels": channels, "out_channels": channels, "sample_size": edge})
        both, steps, _ = train(trial, args.seconds, encoded(vae), tokenizer)
        pipe = models.assemble(vae, both["text_encoder"], tokenizer, both["unet"])
        captions = [{"prompt": c} for c in scenes.batch(args.pictures, 32).captions]
        far = metrics.frechet_distance(features(network, real), features(network, metrics.draw(pipe, captions, guidance=1.0)))
        size = sum(p.numel() for p in vae.parameters())
        db = metrics.psnr(pipe)["vae_psnr_unseen"]["value"]
        print(f"| {name} | {size:,} | {vae_steps} | {db} | {steps} | {far:.2f} |", flush=True)


def new_vae(changes, seconds):
    """A VAE of another shape, trained with the recipe's loss; and its number of steps."""
    torch.manual_seed(0)
    blank = models.build_vae()
    vae = plain_attention(type(blank).from_config({**blank.config, **changes})).train()

    def loss(step):
        x_0 = scenes.batch(16, step, "wide", counts=(1, 1, 2, 3))
        return vae_loss(vae, x_0.images, x_0.masks, generator(0, step))

    for progress in fit(vae, loss, minutes=seconds / 60, lr=2e-3):
        pass
    vae.eval().register_to_config(scaling_factor=1 / latent_std(vae))
    return vae.requires_grad_(False), progress.step


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--seconds", type=float, default=65)
    options.add_argument("--pictures", type=int, default=400)
    options.add_argument("--only", help="only trials whose name contains this")
    args = options.parse_args()
    compare(args)
    shapes(args)


if __name__ == "__main__":
    main()
