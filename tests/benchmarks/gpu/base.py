"""The stage base: U-Net and text encoder trained together, with the loss of train/latent.py, entirely on the device."""

import copy
import time

import torch

from edu_diffusion import models
from edu_diffusion.models import autocast
from edu_diffusion.steps import q_sample, velocity

from .checks import within
from .learn import learn

DROPPED = 0.1  # share of captions left empty
LONGEST = 150  # seconds of compiling
FAR = 0.05  # how much the compiled gradient may differ, as a share of its length


class Parts:
    """The parts that the stages start from, in float32 on the device: vae, text_encoder, tokenizer, unet and the noise schedule.

    start: a folder with some of the parts of a pipeline; missing parts come from the shipped base. tokenizer: its folder.
    """

    def __init__(self, start, tokenizer, device):
        from diffusers import AutoencoderKL, UNet2DConditionModel
        from transformers import CLIPTextModel, CLIPTokenizer

        where = {part: part_folder(start, part) for part in models.PARTS}
        plain = {"dtype": torch.float32, "use_safetensors": True}
        with models.quiet():
            self.vae = AutoencoderKL.from_pretrained(where["vae"], **plain).to(device).eval().requires_grad_(False)
            self.unet = UNet2DConditionModel.from_pretrained(where["unet"], **plain).to(device)
            self.text_encoder = CLIPTextModel.from_pretrained(where["text_encoder"], **plain).to(device)
            self.tokenizer = CLIPTokenizer.from_pretrained(tokenizer)
        self.abar = models.build_scheduler().alphas_cumprod.to(device)
        self.empty = self.tokenizer([""], padding="max_length", return_tensors="pt").input_ids.to(device)

    def pipe(self):
        """A pipeline with copies of the current parts."""
        parts = (self.vae, self.text_encoder, self.tokenizer, self.unet)
        return models.assemble(*(copy.deepcopy(part) for part in parts))


def part_folder(start, part):
    """The folder of a part: in `start` if that has one, else the shipped base's."""
    own = models.path_of(start) / part
    return own if own.is_dir() else models.path_of("base") / part


def forward(unet):
    """The U-Net as a function of (z_t, t, c) that returns a plain tensor."""
    return lambda z_t, t, c: unet(z_t, t, c, return_dict=False)[0]


def noised(z_0, abar):
    """Uniformly sampled timesteps, the noisy latents and the velocity to predict."""
    t = torch.randint(len(abar), (len(z_0),), device=z_0.device)
    eps = torch.randn_like(z_0)
    return t, q_sample(z_0, eps, abar[t]), velocity(z_0, eps, abar[t])


def loss_of(predict, text_encoder, z_0, ids, abar):
    """Mean squared error of the velocity. z_0: (B, 4, 16, 16). ids: (B, T)."""
    t, z_t, v = noised(z_0, abar)
    c = text_encoder(ids).last_hidden_state
    return (predict(z_t, t, c).float() - v).square().mean()


def drop(ids, empty, share=DROPPED):
    """This share of the captions replaced by the empty one."""
    gone = torch.rand(len(ids), 1, device=ids.device) < share
    return torch.where(gone, empty, ids)


def examples(pool, parts, batch):
    """A batch of latents and of token ids."""
    rows = pool.rows(batch)
    return pool.latents[rows].float().contiguous(), drop(pool.captions(rows), parts.empty)


def learning(parts):
    """U-Net and text encoder, ready for training."""
    return torch.nn.ModuleDict({"unet": parts.unet, "text_encoder": parts.text_encoder}).train().requires_grad_(True)


def train(parts, pool, predict, out, args, seconds):
    """The stage. predict: the U-Net's forward, compiled or not. Writes unet and text_encoder; returns facts."""
    both = learning(parts)

    def loss():
        return loss_of(predict, parts.text_encoder, *examples(pool, parts, args.batch), parts.abar)

    def keep():
        out.weights("unet", parts.unet.state_dict())
        out.weights("text_encoder", saved(parts.text_encoder))

    facts = learn("base", both, loss, out, seconds=seconds, batch=args.batch, lr=args.lr, steps=args.steps, keep=keep)
    both.eval()
    return facts


def saved(text_encoder):
    """The weights under the names in a text encoder's file, whatever the library calls them at runtime."""
    return {f"text_model.{name.removeprefix('text_model.')}": value for name, value in text_encoder.state_dict().items()}


def compiled(parts, args, out):
    """The U-Net's forward for batches of args.batch: compiled if possible, else plain.

    Compiles immediately, on random numbers, while the workers write their chunks.
    """
    plain = forward(parts.unet)
    if not args.compile:
        return plain
    began = time.monotonic()
    quick = forward(torch.compile(parts.unet, dynamic=False))
    try:
        z_0, ids = torch.randn(args.batch, 4, 16, 16, device=parts.abar.device), parts.empty.repeat(args.batch, 1)
        with within(LONGEST):
            gradient(parts, quick, z_0, ids)
    except Exception as error:  # whatever a compiler comes up with
        out.say(f"compile: failed, so in plain steps: {type(error).__name__}: {str(error).splitlines()[:1]}")
        return plain
    out.say(f"compile: {time.monotonic() - began:.1f} s")
    return quick


def trusted(parts, predict, pool, args, out):
    """`predict` if its gradient on one batch equals that of the plain U-Net up to FAR; else the plain forward."""
    plain, batch = forward(parts.unet), examples(pool, parts, args.batch)
    far, noise = (distance(parts, other, batch) for other in (predict, plain))
    out.say(
        f"gradient: {far:.4f} from that of plain steps, which differ by {noise:.4f} among themselves; "
        f"{'taken' if far < FAR else 'not taken'}"
    )
    return predict if far < FAR else plain


def distance(parts, predict, batch):
    """Relative error of the gradient by `predict`, as a share of the plain gradient's norm."""
    one, other = (gradient(parts, f, *batch) for f in (forward(parts.unet), predict))
    return ((one - other).norm() / one.norm()).item()


def gradient(parts, predict, z_0, ids, seed=0):
    """The whole gradient of U-Net and text encoder on one batch, as one vector."""
    torch.manual_seed(seed)
    params = list(learning(parts).parameters())
    with autocast(z_0.device):
        loss = loss_of(predict, parts.text_encoder, z_0, ids, parts.abar)
    return torch.cat([g.flatten().float() for g in torch.autograd.grad(loss, params)])
