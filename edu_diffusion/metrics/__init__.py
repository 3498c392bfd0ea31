"""Numbers: does the model generate what was asked for, in the right variety, and under control?

python3 -m edu_diffusion judge              # the core tier's frozen prompts
python3 -m edu_diffusion judge open         # calibration, variety, steps, quality, guidance

judge.py           the classifier of concept, style, size and place
nearest.py         a second judge, built otherwise: which reference sprite is nearest, pixel by pixel
accuracy.py        what is right in each image
splits.py          the named scores, split by split of the frozen prompts
parts.py           how many things an image shows, and each of them by itself
statistics.py      shares, means, differences and quantiles with their 95 % intervals
sampling.py        the images of prompts, as every measure generates them
text_to_image.py   all scores of a pipeline on the frozen prompts, each beside its ceiling
frechet.py         Frechet distance on the classifier's features, and its excess over that of real images
calibration.py     over many seeds of an open prompt, the histogram of what is unsaid against the world's own
variety.py         how different the images of one prompt are
few_steps.py       few calls of the U-Net: the library's samplers and a distilled LoRA, side by side
steps.py           how far sets of images are from real ones, by the number of denoising steps
quality.py         decibels inside the sprite, unevenness of the background, distance of its colour from the palette
guidance.py        which default guidance, and what it does to accuracy, variety and habits
retrieval.py       whether CLIP finds the caption of an image, and the image of a caption
style.py           what LoRA and hypernetworks gained, and what they cost
style_aligned.py   whether the images of a batch agree in style
edit.py            whether an image was edited as asked, and no more
control.py         whether an image follows its condition
subject.py         whether one thing was learned (DreamBooth, textual inversion), and what was forgotten
"""

from .accuracy import background, described, read, right, right_by_nearest
from .calibration import calibration_scores, open_prompts, single
from .control import scores as control_scores
from .few_steps import few_step_calibrations, few_step_scores
from .frechet import excess, frechet_distance
from .guidance import choose, effect, habits, plain_call
from .judge import Judge, load_judge, save_judge
from .nearest import nearest_as_asked, nearest_reference
from .quality import quality_scores
from .retrieval import recall
from .sampling import GUIDANCE, STEPS, draw, through_vae
from .splits import summary
from .statistics import mean, paired, score
from .steps import by_steps
from .style import hyper_scores, lora_scores
from .style_aligned import aligned_scores
from .subject import dreambooth_scores, inversion_scores
from .text_to_image import accuracy_scores, chosen, distances, evaluate, fixed, psnr
from .variety import variety_scores

__all__ = [
    "GUIDANCE",
    "Judge",
    "STEPS",
    "accuracy_scores",
    "aligned_scores",
    "background",
    "by_steps",
    "calibration_scores",
    "choose",
    "chosen",
    "control_scores",
    "described",
    "distances",
    "draw",
    "dreambooth_scores",
    "effect",
    "evaluate",
    "excess",
    "few_step_calibrations",
    "few_step_scores",
    "fixed",
    "frechet_distance",
    "habits",
    "hyper_scores",
    "inversion_scores",
    "load_judge",
    "lora_scores",
    "mean",
    "nearest_reference",
    "nearest_as_asked",
    "open_prompts",
    "paired",
    "plain_call",
    "psnr",
    "quality_scores",
    "read",
    "recall",
    "right",
    "right_by_nearest",
    "save_judge",
    "score",
    "single",
    "summary",
    "through_vae",
    "variety_scores",
]
