"""Numbers: did the model draw what was asked?

    python3 -m edu_diffusion judge              # the core tier's bars for checkpoints/base, into its metrics.json

    network.py    the classifier that answers for concept, style, size and place
    drawings.py   a second judge, built otherwise: which training drawing is nearest, pixel by pixel
    marks.py      what is right in each picture, as shares with their intervals
    distance.py   Frechet distance on the classifier's features
    retrieval.py  whether CLIP finds the caption to a picture, and the picture to a caption
    evaluate.py   all scores of a pipeline on the frozen prompts, each beside its ceiling
    adapters.py   what LoRA, hypernetworks and StyleAligned gained, and what they cost
    edit.py       whether a picture was edited as asked, and no more
    control.py    whether a drawing follows its condition
    subject.py    whether one thing was learned (DreamBooth, textual inversion), and what was forgotten
"""

from .adapters import aligned_scores, hyper_scores, lora_scores
from .control import scores as control_scores
from .distance import frechet
from .drawings import nearest
from .evaluate import GUIDANCE, STEPS, distances, draw, evaluate, fixed, psnr, through_vae
from .marks import background, mean, paired, right, score, summary
from .network import Judge, load_judge, save_judge
from .retrieval import recall
from .subject import dreambooth_scores, inversion_scores

__all__ = ["GUIDANCE", "STEPS", "Judge", "background", "distances", "draw", "evaluate", "fixed", "frechet", "load_judge",
           "mean", "nearest", "paired", "psnr", "recall", "right", "save_judge", "score", "summary", "through_vae",
           "aligned_scores", "control_scores", "dreambooth_scores", "hyper_scores", "inversion_scores", "lora_scores"]
