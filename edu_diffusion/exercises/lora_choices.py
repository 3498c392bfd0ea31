"""Letters and numbers of lesson 10: where a LoRA begins, how large it is, and what it changes."""

from .choices import Choice, Number

LORA_SIZE = Number(
    "lora_size",
    4 * (320 + 320),
    (
        ("this is the full matrix; A and B together have far fewer numbers.", 320 * 320),
        ("this is one of the two matrices; count both.", 4 * 320),
        ("the product B A has the shape of W, but only A and B are trained, and not their product.", 4 * 320 * 320),
        ("these are the sides of the matrices; count the entries: rows times columns.", 2 * (4 + 320)),
        ("these are the rows of W; each row has 4 numbers in B, and A comes on top.", 320),
        ("the frozen matrix is not trained; count A and B alone.", 320 * 320 + 4 * 640),
        ("the rank is counted twice: A has 4 rows of 320, and B has 320 rows of 4.", 2 * 4 * 640),
        ("the two matrices of LoRA have no biases; count their entries alone.", 4 * 640 + 320),
        ("this is the share of the full matrix; the question asks for the count.", 0.025),
        ("this is the share of the full matrix in per cent; the question asks for the count.", 2.5),
    ),
    "4 · 320 in A and 320 · 4 in B are 2,560 numbers, 2.5 % of the 102,400 in the matrix. The count grows with the side of the "
    "matrix, not with its area, so the larger the model, the larger the saving.",
    tolerance=1e-6,
)

ZERO_START = Choice(
    "zero_start",
    "B",
    {
        "A": "the output at the start is indeed the same, but look at the gradients in the second row: both are 0, and an "
        "optimiser that follows a gradient of 0 does not move.",
        "B": "the gradient of A contains B as a factor, and that of B contains A x. If both matrices are zero, so are both "
        "gradients, for ever. If only B is zero, B moves first, and then A.",
        "C": "this is not slow, it stands still: both gradients in the second row are exactly 0, at every step.",
        "D": "the output is right: B A is zero if either matrix is. What goes wrong is shown by the gradients.",
    },
)

LORA_WEIGHT = Choice(
    "lora_weight",
    "B",
    {
        "A": "weight 0 is the base model. It knows nothing of the new style, but it draws these things, in its old styles.",
        "B": "half of the change is not half of the result. At 0.5 colours and lines are mixed, and fewer images are nearest to "
        "the thing that was asked for than at any other weight here. The adapter was trained with weight 1; nothing in its "
        "training made 0.5 good.",
        "C": "this is the weight with which the adapter was trained. The curve of the things has its lowest point elsewhere.",
        "D": "more than in the training makes the lines coarser, but most of these things are still there. The curve of the "
        "things has its lowest point elsewhere.",
    },
    prediction=True,
)

LORA_WORDS = Choice(
    "lora_words",
    "C",
    {
        "A": "it seems that the words should decide, but the adapter changes matrices that every prompt goes through. Most images "
        "in the lower row are line drawings.",
        "B": "the adapter has no switch that reads the prompt; where the words do not name a style, the images in the lower row "
        "are not half and half.",
        "C": "the adapter changes matrices that every prompt goes through, and in its training every image was a line drawing. So "
        'the words "contrast style" were never needed. This is a form of forgetting: the old styles are lost while it is on.',
        "D": "the images are not noise: the lower row shows drawings, in another style than the upper one.",
    },
    prediction=True,
)

LORA_TWO = Number(
    "lora_two",
    12,
    (
        ("a matrix of rank 8 can hold the larger change, but the other one needs room of its own.", 8),
        ("this is the smaller rank; even the larger adapter does not fit into it.", 4),
        ("ranks are not averaged; ask how many independent directions the sum of both changes can have.", 6),
        ("ranks do not multiply here: put the rows of both A's below one another, and count them.", 32),
        ("the rank counts rows of A or columns of B, and not both together.", 24),
        ("a full matrix of 320 x 320 could hold it, but so can far fewer rows: count those of both A's.", 320),
        ("the sides of the matrices stay 320; only the inner dimension grows.", 640),
    ),
    "the rows of both A's below one another, and the columns of both B's side by side: the product is the sum of the two changes, "
    "and its inner dimension is 4 + 8 = 12.",
)
