"""Evaluation: do the images match their prompts?

    python3 -m edu_diffusion judge              # prompt adherence of checkpoints/base on the core prompts

    network.py    the classifier (the judge) that predicts concept, style, size and place
    drawings.py   a second, untrained judge: the nearest reference sprite, pixel by pixel
    parts.py      counting and separating the objects of an image
    marks.py      correctness of each image, and means and shares with confidence intervals
    shares.py     the named scores, for each split of the frozen prompts
    distance.py   Fréchet distance on the judge's features, and its excess over that of real pictures
    retrieval.py  CLIP retrieval: the caption of an image, and the image of a caption
    evaluate.py   all scores of a pipeline on the frozen prompts, each with its ceiling
    adapters.py   what LoRA, hypernetworks and StyleAligned gain, and what they cost
    edit.py       whether an image was edited as asked, and nothing else changed
    control.py    whether an image follows its condition
    subject.py    whether a subject was learned (DreamBooth, textual inversion), and what was forgotten
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
