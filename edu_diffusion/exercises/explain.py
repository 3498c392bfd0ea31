"""What common exceptions mean, in the words of a teacher: the message of torch or Python, and what to look at."""

import difflib
import re

import torch

from ..errors import said

MODULES = ("math", "np", "nn", "F", "torch")  # what a learner may have forgotten to import
# pattern of an exception's text -> what to tell the learner; {0}, {1} are what the pattern's brackets found
MEANINGS = (
    (r"return_types\.(max|min)\b", "torch.{0} along a dimension returns values and indices; take its .values, or use torch.a{0}."),
    (r"^tensor\(\) takes 1 positional argument", "torch.tensor takes one list: torch.tensor([a, b])."),
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension 0",
        "along dimension 0 one tensor has {0} entries and the other {1}; were parts joined along the wrong dimension, do the two "
        "belong to different things, or does one of them need another dimension, as in x[:, None]?",
    ),
    (
        r"size of tensor a \((\d+)\) must match the size of tensor b \((\d+)\) at non-singleton dimension (\d+)",
        "two tensors with {0} and {1} numbers along dimension {2} cannot be combined; does a mean or sum need "
        "keepdim=True, does one of "
        "them need another dimension, as in x[:, None], or is a product in the wrong order?",
    ),
    (
        r"(?:shapes cannot be multiplied \(|size mismatch.*?)(\d+x\d+) and (\d+x\d+)",
        "`@` cannot multiply {0} and {1}: the last dimension of the left must equal the last but one of the right; is the order of "
        "the two right, or must one be transposed with .transpose(-1, -2)?",
    ),
    (
        r"Expected size for first two dimensions of batch2 tensor to be: (\[.*?\]) but got: (\[.*?\])",
        "`@` cannot multiply these: the right one must be {0} in its first two dimensions and is {1}; do both come from the same "
        "number of items, or must one be transposed with .transpose(-1, -2)?",
    ),
    (
        r"Dimension out of range \(expected to be in range of (\[.*?\]), but got (-?\d+)\)",
        "there is no dimension {1}; this tensor has those in {0}. Count dimensions from 0, or from the end with -1.",
    ),
    (
        r"index (-?\d+) is out of bounds for dimension (\d+) with size (\d+)",
        "index {0} is beyond the {2} entries of dimension {1}; the last one has the index {2} - 1.",
    ),
    (
        r"index out of range in self",
        "an embedding or a table is asked for a row that it does not have; a number among the labels is negative or too large.",
    ),
    (
        r"expected sequence of length (\d+) at dim 1 \(got (\d+)\)",
        "rows of {0} and {1} numbers make no table; texts of different lengths need padding.",
    ),
    (r"list index out of range", "a list has fewer entries than the index; the first one has the index 0."),
    (
        r"list indices must be integers or slices, not (\w+)",
        "a list takes one whole number as its index, and not a {0}; make it a "
        "tensor with torch.tensor, or go through it with `for`.",
    ),
    (
        r"only integer tensors of a single element can be converted to an index|only one element tensors can be converted",
        "a tensor of several numbers stands where one number is needed; take one entry of it, or work on the whole tensor.",
    ),
    (
        r"Boolean value of Tensor with more than one value is ambiguous",
        "`if` or `and` needs a single yes or no; a tensor has many: use torch.where, .any() or .all().",
    ),
    (
        r"(\w+)\(\): argument 'input' \(position 1\) must be Tensor, not (float|int|complex|bool)",
        "torch.{0} takes a tensor, and this is a {1}; write ** 0.5 for a root, or wrap it in torch.tensor.",
    ),
    (
        r"mean\(\): could not infer output dtype|Expected a floating point|not implemented for 'Long'",
        "the tensor holds whole numbers; turn them into decimals first with .float().",
    ),
    (
        r"expected (?:m1 and m2|scalar type|.* dtype).*(Float|Double|Long|Half|Int).*(Float|Double|Long|Half|Int)",
        "two tensors have different number types, {0} and {1}; bring both to one with .float().",
    ),
    (r"missing \d+ required positional arguments?: (.+)", "a call leaves out {0}; a function gets all its arguments."),
    (
        r"(\S+)\(\) takes (?:from )?(.+?) positional arguments? but (\d+) (?:was|were) given",
        "{0} takes {1} arguments and is called with {2}; look at its signature, and at what is passed to it.",
    ),
    (r"(?:unsupported operand type\(s\) for \^|bitwise_xor)", "^ is no power in Python; write ** in its place."),
    (
        r"unsupported operand type\(s\) for (.+?): '(\w+)' and '(\w+)'",
        "{0} cannot combine a {1} with a {2}; is one of them a list, a text, or a function without its brackets?",
    ),
    (
        r"'(?:builtin_function_or_method|method|function)' object has no attribute",
        "the brackets are missing: a function stands here and not what it returns; write x.strip() in place of x.strip.",
    ),
    (r"'([\w.]+)' object is not callable", "something that is no function stands before brackets, a {0}; is a `*` missing?"),
    (r"'([\w.]+)' object has no attribute '(\w+)'", "a {0} has no .{1}; look at the spelling, or at what the variable holds."),
    (r"cannot access local variable '(\w+)'|local variable '(\w+)' referenced before", "{0} is used before it gets a value."),
    (
        r"shape '(.*?)' is invalid for input of size (\d+)",
        "{1} numbers do not fit into the shape {0}; is the size of one batch written as a number? A -1 lets PyTorch compute it.",
    ),
    (
        r"a bytes-like object is required, not '(\w+)'",
        "a {0} stands where bytes are needed; text.encode() returns the bytes of a text.",
    ),
    (
        r"Sizes of tensors must match except in dimension (\d+).*?Expected size (\d+) but got size (\d+)",
        "tensors that are joined along dimension {0} must agree in all others, and {1} is not {2}; repeat the smaller one with "
        ".expand, or join them along another dimension.",
    ),
    (
        r"The expanded size of the tensor \((\d+)\) must match the existing size \((\d+)\) at non-singleton dimension (\d+)",
        "dimension {2} has {1} entries and cannot become {0}; only a dimension of size 1 can be repeated by .expand.",
    ),
    (
        r"stack expects each tensor to be equal size, but got (\[.*?\]) at entry \d+ and (\[.*?\])",
        "torch.stack joins tensors of one shape, and these are {0} and {1}; torch.cat joins along a dimension that may differ.",
    ),
    (
        r"leaf [Vv]ariable that requires grad",
        "a weight is changed where PyTorch records for gradients; write `with torch.no_grad():` around that line.",
    ),
    (
        r"does not require grad and does not have a grad_fn",
        "no gradient can be computed of this number; was it made with .item(), .detach() or torch.tensor?",
    ),
    (r"backward through the graph a second time", "backward() was called twice for one loss; compute the loss anew in every step."),
    (
        r"too many indices for tensor of dimension (\d+)",
        "the tensor has only {0} dimensions, and more are indexed; print its shape.",
    ),
    (
        r"not enough values to unpack \(expected (\d+), got (\d+)\)",
        "{0} names stand on the left of the =, and there are only {1} parts on the right.",
    ),
    (r"too many values to unpack \(expected (\d+)", "{0} names stand on the left of the =, and there are more parts on the right."),
    (
        r"(\w+)\(\): argument 'tensors' .*must be tuple of Tensors, not (\w+)",
        "torch.{0} takes a list of tensors, and this is a {1}; write torch.{0}([a, b]).",
    ),
    (
        r"expected Tensor as element \d+ in argument \d+, but got (\w+)",
        "torch.cat and torch.stack join tensors, and one of these has the type {0}; make it a tensor first.",
    ),
    (
        r"^where\(\) received an invalid combination of arguments",
        "torch.where takes a condition, which is a tensor, and two tensors or numbers; one of the three is something else.",
    ),
    (
        r"Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int|target dtype to be Long",
        "labels and indices must be whole numbers; turn them back with .long().",
    ),
    (r"not all arguments converted during string formatting", "% is applied to a text here; it needs a number."),
    (
        r"Target (-?\d+) is out of bounds",
        "a label is {0}, and there is no such column; labels count from 0 to one less than the number of columns.",
    ),
    (r"only supports boolean masks", "the mask must hold True and False; make it with a comparison, or with .bool()."),
    (r"cannot be interpreted as an integer", "a whole number is needed here, and / gives decimals; use // or int()."),
    (r"cannot unpack non-iterable (\w+)", "several names stand on the left of the =, and on the right is a single {0}."),
    (
        r"argument 'input' .* must be Tensor, not list",
        "torch works on one tensor here, not on a list; join the tensors first with torch.stack or torch.cat.",
    ),
    (
        r"^(\w+)\(\) received an invalid combination of arguments - got (\(.*?\))",
        "{0} cannot be called with {1}: is a number given where a tensor is needed, or an argument too many?",
    ),
    (
        r"unhashable type: '(\w+)'",
        "a {0} as a whole cannot be looked for in a set or dictionary; look for each of its entries, with `for`.",
    ),
    (
        r"line \d+ column \d+ \(char (\d+)\)",
        "this is no whole JSON text: it goes wrong at character {0}. Is it cut at the right places?",
    ),
    (r"codec can't decode", "some of these bytes are no text. Does the slice begin too early, or reach too far?"),
    (
        r"buffer length \((\d+) bytes\).*multiple of element size \((\d+)\)",
        "{0} bytes cannot be divided into numbers of {1} bytes; look at where the slice ends, and at the dtype.",
    ),
    (
        r"slice indices must be integers|only integers, slices .* are valid indices",
        "an index is a whole number; use // in place of /, or int().",
    ),
    (
        r"Subtraction, the `-` operator, with a bool tensor|Subtraction, the `-` operator, with two bool tensors",
        "True and False cannot be subtracted; write ~mask, or make numbers of them with .float().",
    ),
    (r"^~ \(operator\.invert\)|bitwise_not", "~ turns True and False round; for numbers write 1 - x."),
    (
        r"The shape of the mask (\[.*?\]) at index \d+ does not match the shape of the indexed tensor (\[.*?\])",
        "a mask in square brackets has the shape of the tensor, and {0} is not {1}; use torch.where, or multiply with the mask.",
    ),
    (
        r"you can only change requires_grad flags of leaf",
        "a part of a weight cannot be frozen by itself; put its numbers back after each step.",
    ),
    (
        r"tensors used as indices must be",
        "a tensor of decimals stands in square brackets, and an index is a whole number. `for x in a` gives the parts of a tensor, "
        "not their places.",
    ),
    (r"zero-dimensional tensor .* cannot be concatenated", "single numbers have no dimension to be joined along; use torch.stack."),
    (r"'(\w+)' object is not (subscriptable|iterable)", "a {0} has no parts; look at what the variable holds."),
    (
        r"Tensors must have same number of dimensions: got (\d+) and (\d+)",
        "tensors with {0} and {1} dimensions cannot be joined; add a dimension to one, as in x[None].",
    ),
)


def meaning(error, names=()):
    """Return what an exception means, or None for one that is not common. names: the names of the exercise's arguments."""
    text = str(error)
    if isinstance(error, KeyError) and error.args:
        return said("there is no entry called {}; print the keys, and look which dictionary this is.", repr(error.args[0]))
    if isinstance(error, NameError) and getattr(error, "name", None):
        return unknown(error.name, names) or found(text)
    return found(text)


def found(text):
    for pattern, words in MEANINGS:
        if match := re.search(pattern, text):
            return said(words, *(part for part in match.groups() if part is not None))
    return None


def unknown(name, names):
    """What to say of a name that means nothing."""
    if name in MODULES:
        return said("{} is not imported; `import` or `from ... import` it in a cell above.", name)
    if hasattr(torch, name) or hasattr(torch.nn.functional, name):
        return said("{} is not defined; do you mean torch.{}?", name, name if hasattr(torch, name) else f"nn.functional.{name}")
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return said("{} is not defined; do you mean {}?", name, close[0]) if close else None
