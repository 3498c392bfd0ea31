"""Letters and numbers of lesson 03: what guidance does to accuracy, variety and bias."""

from .choices import Choice, Number

TRADE_OFF = Choice(
    "trade_off",
    "B",
    {
        "A": "accuracy does rise, but look at the right-hand plot: two images of the same digit become more alike. "
        "Guidance adds "
        "nothing new; it exaggerates what the label already says.",
        "B": "the images fit their labels better and resemble each other more. A guided model draws what is most "
        "typical of a label.",
        "C": "the starting noise is the same, but it counts for less: the right-hand plot falls, so images of one digit become "
        "more alike.",
        "D": "the label is given at g = 1 already, and yet the left-hand plot rises: a model trained so briefly "
        "follows the label "
        "only loosely, and guidance strengthens its influence.",
    },
    prediction=True,
)

AMPLIFIED = Choice(
    "amplified",
    "D",
    {
        "A": "the label does not mention the background, but in the training set it goes with one. The model has learned that "
        "connection, and the printed share is far above 50 %.",
        "B": "that is what one expects of a model that only reflects its data, and without guidance it comes near. With g = 4 "
        "the printed share is higher than in the data.",
        "C": "guidance does not separate the shape of a seven from its background: whatever goes with the label grows, and the "
        "printed share grows as well.",
        "D": "white goes with sevens more than with other digits, so guidance strengthens it like the shape: the "
        "bias is amplified.",
    },
    prediction=True,
)

STRONGEST_ROW = Choice(
    "strongest_row",
    "C",
    {
        "A": "these four differ from seed to seed in size, place, style and colour: little or no guidance.",
        "B": "compare the rows: in another one the contrast is still stronger, and all four ghosts fill the picture.",
        "C": "the hardest contrast, colours at the ends of their range, and four ghosts of nearly the same shape and size.",
        "D": "the ghosts of this row still differ in size and place, and their colours are soft; look for four that "
        "resemble each other.",
    },
)

OVERSHOOT = Number(
    "overshoot",
    4,
    (
        ("this counts from eps_c. Our g counts from eps_u: g = 1 is eps_c itself.", 3),
        ("this compares the result with eps_c alone; both the result and eps_c have to be measured from eps_u.", 2.8),
        ("this is how far the result is from eps_u; how many times the distance from eps_u to eps_c is that?", 1.2),
        ("this is how far the result is from eps_c; measure from eps_u, in units of the distance from eps_u to eps_c.", 0.9),
        ("this compares the result with eps_u; measure distances instead.", 7),
        ("1.4 is divided as it is; measure it from eps_u first, as you did with eps_c.", 1.4 / 0.3),
        ("this is upside down: divide the longer distance by the shorter one.", 0.25),
    ),
    "from 0.2 to 0.5 is one step of 0.3, and 1.4 is four such steps away from 0.2.",
)
