"""Letters and numbers of lesson 15: what a single evaluation gives, and what is lost with few steps."""

from .choices import Choice, Number

FIRST_ANSWER = Choice(
    "first_answer",
    "C",
    {
        "A": "the step goes all the way: the predicted clean image is the result. There is no grain in these images; there is "
        "hardly any detail either.",
        "B": "to draw one sharp image the network would have to decide on one drawing, size and place, and the noise says almost "
        "nothing about these. No single drawing can be recognised in the lower row.",
        "C": "many images fit the prompt. The answer with the smallest mean squared error is the mean of all that are possible, "
        "and a mean of many drawings is a blur. Only large areas, such as the background, can be guessed from the noise.",
        "D": "a person draws the outline first. The network predicts all pixels at once, and outlines are what it knows least: "
        "look at the edges in the lower row.",
    },
    prediction=True,
)

EVALUATIONS = Number(
    "evaluations",
    38,
    (
        ("these are the steps. Heun evaluates the model twice in a step, and guidance doubles the evaluations.", 10),
        ("this is Heun without guidance; with it, each evaluation becomes two, one with the prompt and one without it.", 19),
        ("Heun's second evaluations, or those for guidance, are missing; each of them doubles the number.", 20),
        ("nearly: in its last step Heun has no second evaluation, since no noise is left there.", 40),
        ("what Heun saves in its last step is doubled by guidance, too: two evaluations, not one.", 39),
        ("with guidance a step of Heun takes four evaluations; fewer are needed in the last step only.", 30),
    ),
    "10 steps of Heun take 19 evaluations without guidance, and guidance doubles them. What counts is not the number of steps.",
    tolerance=0.001,
)

NO_BOUNDARY = Choice(
    "no_boundary",
    "B",
    {
        "A": "nothing in this loss says where the trajectories end. It falls to nearly zero, and all points lie in one place.",
        "B": "a constant satisfies the loss perfectly: neighbouring points give the same answer, since all points do. What is "
        "missing is the condition at the end of the trajectory, where the answer must be the point itself.",
        "C": "the mean of all points is what a single step of the teacher gives, and that is a small cloud. Here even that is "
        "gone: the loss never compares with any data.",
        "D": "the loss falls by itself to nearly zero, far below the other one. A small loss is no proof that anything was "
        "learned.",
    },
    prediction=True,
)

FORGOTTEN = Choice(
    "forgotten",
    "B",
    {
        "A": "the pipeline does not know about the LoRA. With another scale than 1 it evaluates the U-Net with and without the "
        "prompt, and extrapolates: the lower row is not the upper one.",
        "B": "the student learned from guided images, so guidance is in its answers. The pipeline then guides once more, with a "
        "scale made for another model, and pays two evaluations for each step.",
        "C": "twice as long is right. But guidance is in the student's answers already; look at the colours of the lower row.",
        "D": "a blur is what too little decision looks like. These images are the opposite: contrast and colours are exaggerated.",
    },
    prediction=True,
)

FAST_PLOT = Choice(
    "fast_plot",
    "B",
    {
        "A": "the line of LCM is lowest at four evaluations and a little higher at eight, and the two intervals overlap: after "
        "four there is nothing more to gain. More evaluations are not always better.",
        "B": "about 1.4 for both, with intervals that overlap. The student saves three evaluations of four there. At eight the "
        "base with guidance has caught up, so what a student is worth depends on how few evaluations are left.",
        "C": "at two and at four evaluations the line with guidance is the higher one. Guidance doubles the cost of a step, so "
        "only half as many steps are left, and these are too few. It helps at eight.",
        "D": "with one or two evaluations it is. At four the base without guidance is level with LCM, and at eight the base with "
        "guidance is level with TCD: there the intervals overlap.",
    },
)

NEW_NOISE = Number(
    "new_noise",
    0.75,
    (
        ("this is the variance of the new noise; divide it by that of all the noise at s.", 0.375),
        ("this is the share of the old noise, which is what remains of that at r.", 0.25),
        ("this is the variance of the old noise at s.", 0.125),
        ("this is the share for LCM, which jumps to the clean latent. Here the jump stops at r.", 1.0),
        ("this is the variance of all the noise at s.", 0.5),
        ("this is the noise left at r, before the signal is scaled down to s.", 0.2),
        ("this is how much the signal level falls from r to s; the noise that is added has the variance 1 - abar_s / abar_r.", 0.3),
        ("0.3 of 0.5 would be right if the latent at r were not scaled; it is multiplied by sqrt(abar_s / abar_r) first.", 0.6),
        ("this is the variance that is left of the latent at r; the rest is new noise.", 0.625),
        ("this is the standard deviation of the new noise; the question asks for a share of the variance.", 0.375**0.5),
    ),
    "the latent at r is multiplied by sqrt(0.625). So the old noise keeps a variance of 0.2 · 0.625 = 0.125, and 0.375 is new: "
    "three quarters of 0.5.",
)
