"""The pool of scenes: sampled and captioned by worker processes, then composed and encoded once on the device.

A caption takes more time than an image here: so each scene gets four captions, and one that names concept and colour
(for CLIP's training). Workers write chunks into a folder; an existing chunk is not written again.
"""

import concurrent.futures
import hashlib
import multiprocessing
import os
import pathlib
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file

from edu_diffusion.data import files, scenes

from .compose import Layout, compose, grounds, layout_of

CHUNK, CAPTIONS = 2000, 4
CORE = 0.6  # share of the scenes drawn from the core, the others from the whole vocabulary
ALWAYS = ("concept", "colour")  # what the captions for CLIP name
CODE = ("scenes", "captions", "world", "words", "phrases", "chances")  # what decides the chunks


class Pool(NamedTuple):
    """n scenes on the device; T: tokens in a prompt."""

    layout: Layout
    alone: torch.Tensor  # (n,) bool, one thing of the core
    ids: torch.Tensor  # (n, 4, T) int16, captions
    named: torch.Tensor  # (n, T) int16, a caption that names thing and colour
    ground: torch.Tensor  # (n, 3) background colours
    latents: torch.Tensor  # (n, 4, 16, 16) float16, scaled

    def __len__(self):
        return len(self.alone)

    def captions(self, rows):
        """Token ids (B, T) of one of the captions of each of these scenes."""
        which = torch.randint(self.ids.shape[1], rows.shape, device=rows.device)
        return self.ids[rows, which].long()

    def rows(self, batch):
        """Random scenes: (B,)."""
        return torch.randint(len(self), (batch,), device=self.ground.device)


def jobs(n, seed, tokenizer, cache):
    """The arguments of each worker call: (tier, number of scenes, seed, tokenizer's folder, file)."""
    cache = pathlib.Path(cache) / digest(tokenizer)
    cache.mkdir(parents=True, exist_ok=True)
    shares = {"core": round(CORE * n), "wide": n - round(CORE * n)}
    return [
        (
            tier,
            min(CHUNK, total - i),
            seed * 1_000_003 + number,
            tokenizer,
            cache / f"{tier}-{seed}-{number}-{min(CHUNK, total - i)}.safetensors",
        )
        for tier, total in shares.items()
        for number, i in enumerate(range(0, total, CHUNK))
    ]


def digest(tokenizer):
    """Changes whenever the world, its language or the tokenizer does."""
    data = [files.PACKAGE / "data" / f"{name}.py" for name in CODE]
    paths = [*data, *files.folder("datasets", "emoji").glob("*.csv"), pathlib.Path(tokenizer) / "tokenizer.json"]
    return hashlib.sha256("".join(map(files.sha256, sorted(paths))).encode()).hexdigest()[:16]


def write(job):
    """Write one chunk, unless it exists. Returns its path."""
    tier, n, seed, tokenizer, path = job
    if path.is_file():
        return path
    rng = torch.Generator().manual_seed(seed + (tier == "wide") * 500_000_000)
    spec = scenes.draw_spec(n, rng, tier, many=scenes.MANY if tier == "core" else 0.0)
    texts = [scenes.say(spec, i, rng) for i in range(n) for _ in range(CAPTIONS)]
    named = [scenes.say(spec, i, rng, always=ALWAYS) for i in range(n)]
    tensors = {name: field.short() for name, field in layout_of(spec)._asdict().items()}
    tensors |= {"ids": tokens(tokenizer, texts).unflatten(0, (n, CAPTIONS)), "named": tokens(tokenizer, named)}
    tensors["alone"] = (spec.count == 1) & (spec.other < 0) & (tier == "core")
    stage = path.with_suffix(f".{os.getpid()}")
    save_file(tensors, stage)
    stage.replace(path)
    return path


def tokens(folder, texts):
    """Token ids of texts, padded to the full length: (B, T) int16."""
    read = reader(str(folder))
    return read(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids.short()


def reader(folder, known={}):
    """The tokenizer in a folder, read once by each process."""
    if folder not in known:
        from transformers import CLIPTokenizer

        known[folder] = CLIPTokenizer.from_pretrained(folder)
    return known[folder]


def quiet():
    """What a worker sets first: one thread is enough."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)


def begin(some, workers):
    """Start writing chunks; returns a function that waits for them and returns their paths. workers: 0 is none.

    Forked before the device is used: the processes then share all imports.
    """
    if not workers:
        return lambda: [write(job) for job in some]
    kind = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    crew = concurrent.futures.ProcessPoolExecutor(workers, multiprocessing.get_context(kind), initializer=quiet)
    calls = [crew.submit(write, job) for job in some]

    def wait():
        concurrent.futures.wait(calls)
        crew.shutdown()
        fine = [call.result() for call in calls if not call.exception()]
        return fine if len(fine) > len(calls) / 2 else [call.result() for call in calls]  # which raises what went wrong

    return wait


def gather(paths, cells, vae, device, seed=0, batch=2048):
    """The Pool of these chunks, on the device. cells: see compose.drawings. vae: encodes the pictures."""
    parts = [load_file(path) for path in paths]
    whole = {name: torch.cat([part[name] for part in parts]).to(device) for name in parts[0]}
    layout = Layout(*(whole[name].long() for name in Layout._fields))
    ground = grounds(layout.colour, torch.Generator(device).manual_seed(seed))
    latents = torch.cat(
        [
            encoded(vae, compose(cells, layout.take(rows), ground[rows])[0])
            for rows in torch.arange(len(ground), device=device).split(batch)
        ]
    )
    return Pool(layout, whole["alone"], whole["ids"], whole["named"], ground, latents)


@torch.no_grad()
def encoded(vae, images):
    """Scaled latents (B, 4, 16, 16) in half precision: the mean of the encoder's distribution, as in steps.encode."""
    return (vae.encode(images).latent_dist.mean * vae.config.scaling_factor).half().contiguous()
