"""Letters and numbers of lesson 12: what else changes, and how small a new word is."""

from .choices import Choice, Number

LANGUAGE_DRIFT = Choice(
    "language_drift",
    "B",
    {
        "A": 'one might expect it, since nobody said "zib". But a network has no separate place for each word: look at the colour '
        "and the wheels of the two robots on the right.",
        "B": 'the two robots on the right have turned teal, and got wheels. The training moved all weights, and "robot" stood in '
        "every caption of Zib. This is called language drift.",
        "C": "the drawings on the right are not noise: the model draws clean things there, but they look like Zib.",
        "D": "the two words are not kept apart in the network. Compare the two robots on the right with those of the base: there "
        "is little of the old ones left.",
    },
    prediction=True,
)

WORD_LIMIT = Choice(
    "word_limit",
    "C",
    {
        "A": "four images were enough for DreamBooth, which may change the network. The word may not; the images on the left "
        "have neither the yellow eye nor the orange wheels.",
        "B": 'the new row started as a copy of "robot", but it was trained away from there: the images on the left look different '
        "from the robots on the right.",
        "C": "a dark blue-green block: of all that the frozen network can draw, this is near to Zib in colour and outline. An eye "
        "and wheels like these it has never drawn, so no row of the table can call them up.",
        "D": "the two robots on the right are the base's own, bit for bit: no weight and no other word has changed.",
    },
    prediction=True,
)

WORD_BYTES = Number(
    "word_bytes",
    4 * 768 * 2,
    (
        ("this is one row; the word has four.", 768 * 2),
        ("this counts the numbers; each of them takes two bytes.", 4 * 768),
        ("half precision means 16 bits, that is two bytes for each number.", 4 * 768 * 4),
        ("these are bits; eight of them make a byte.", 4 * 768 * 16),
        ("this is the width of our own tiny model; Stable Diffusion 1.5 has 768.", 4 * 128 * 2),
        ("this is the whole table; only the new rows are in the file.", 49408 * 768 * 2),
        ("nothing is stored for the 77 places of a prompt; only the four rows are in the file.", 77 * 768 * 2),
        ("this is in kilobytes; the question asks for bytes.", 6.144),
    ),
    "4 · 768 · 2 = 6,144 bytes: 4 rows of 768 numbers. The U-Net of that model takes 1.7 billion bytes in the same precision.",
    tolerance=1e-6,
)

WHICH_WAY = Choice(
    "which_way",
    "D",
    {
        "A": "the pattern is new to the network, so no row of the table can call it up; the block that stood for Zib shows what "
        "comes of it. This is a job for DreamBooth or for a LoRA.",
        "B": "a word added to the table changes no weight. What the network cannot do without it, such as legible letters, it "
        "cannot do with it.",
        "C": "nothing in the network is changed by a new word, so nothing is repaired either; the old words give the images that "
        "they gave before.",
        "D": "the network can draw it, and only the name is missing: this is the fox of this lesson. One row is enough, and "
        "nothing else changes.",
    },
)
