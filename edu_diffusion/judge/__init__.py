"""Numbers: did the model draw what was asked?

    python3 -m edu_diffusion judge              # the core tier's bars for checkpoints/base, into its metrics.json

    network.py    the classifier that answers for concept, style, size and place
    drawings.py   a second judge, built otherwise: which reference drawing is nearest, pixel by pixel
    parts.py      how many things a picture shows, and each of them by itself
    marks.py      what is right in each picture, and means and shares with their intervals
    shares.py     the named scores, split by split of the frozen prompts
    distance.py   Frechet distance on the classifier's features, and its excess over that of real pictures
    retrieval.py  whether CLIP finds the caption to a picture, and the picture to a caption
    evaluate.py   all scores of a pipeline on the frozen prompts, each beside its ceiling
    adapters.py   what LoRA, hypernetworks and StyleAligned gained, and what they cost
    edit.py       whether a picture was edited as asked, and no more
    control.py    whether a drawing follows its condition
    subject.py    whether one thing was learned (DreamBooth, textual inversion), and what was forgotten
"""

from .adapters import aligned_scores, hyper_scores, lora_scores
from .control import scores as control_scores
from .distance import excess, frechet
from .drawings import nearest, nearest_as_asked
from .evaluate import GUIDANCE, STEPS, accuracy, chosen, distances, draw, evaluate, fixed, psnr, through_vae
from .marks import background, mean, paired, read, right, right_by_nearest, score
from .network import Judge, load_judge, save_judge
from .retrieval import recall
from .shares import summary
from .subject import dreambooth_scores, inversion_scores

__all__ = ["GUIDANCE", "STEPS", "Judge", "accuracy", "background", "chosen", "distances", "draw", "evaluate", "excess", "fixed",
           "frechet", "load_judge", "mean", "nearest", "nearest_as_asked", "paired", "psnr", "read", "recall", "right",
           "right_by_nearest", "save_judge", "score", "summary", "through_vae", "aligned_scores", "control_scores",
           "dreambooth_scores", "hyper_scores", "inversion_scores", "lora_scores"]
