"""Model cards that always agree with the measurements: README.md is generated from card.json and metrics.json.

    python3 -m edu_diffusion judge --write      # evaluates, then writes metrics.json, README.md and sheet.png

A template, checkpoints/<name>.card.md, is a Hugging Face model card with placeholders:

    {{full_concept}}       a metric with its interval, or else a fact from card.json
    {{scaling_factor}}     a number that code needs, from a configuration in the folder, see CONFIGURED
    {{below_floors}}       a sentence with the release floors that the checkpoint misses
    {{scores}}             a table of all metrics, or a sentence if there are none
    value: full_concept    in the header's model-index: the plain value of a metric
"""

import json

from ..data import files
from ..errors import EduError
from .floors import FLOORS

SHEET = 100  # images on the contact sheet
RAW = "metrics.json:"  # before a metric's name: the key of its plain value
WAYS = {">=": "at least", ">": "above", "<=": "at most", "<": "below"}  # as in floors.FLOORS
CONFIGURED = {  # what code written for another Stable Diffusion gets wrong: name -> file, key
    "scaling_factor": ("vae/config.json", "scaling_factor"),
    "latent_size": ("unet/config.json", "sample_size"),
    "prediction_type": ("scheduler/scheduler_config.json", "prediction_type"),
    "prompt_tokens": ("text_encoder/config.json", "max_position_embeddings"),
}
ENDS = {"value": "", "low": "lower end ", "high": "upper end "}  # of a 95 % interval


def spread(rows):
    """SHEET rows spread over the frozen list, by a stride that shares no factor with its patterns: no cherry-picking."""
    return [rows[79 * i % len(rows)] for i in range(min(SHEET, len(rows)))]


def write_card(folder, name=None):
    """Write README.md in a shipped checkpoint's folder from its metrics; a learner's own model has no template.

    name: the checkpoint's name, if the folder is still called something else.
    """
    template = files.PACKAGE / "checkpoints" / f"{name or folder.name}.card.md"
    if template.is_file():
        files.write_bytes(folder / "README.md", fill(template.read_text(encoding="utf-8"), numbers(folder)).encode())


def fill(template, values):
    """A card: every {{name}} of a template replaced, and the header written by huggingface_hub.

    values: as numbers() returns them. Raises EduError for a name that was not measured.
    """
    for part in template.split("{{")[1:]:
        name = part.split("}}")[0]
        template = template.replace("{{" + name + "}}", known(values, name))
    return with_header(template, values) if template.startswith("---\n") else template


def known(values, name):
    """values[name]. Raises EduError if it was not measured."""
    if name not in values:
        raise EduError(f"The card asks for {name}, which nobody measured; run judge --write, or take it out.")
    return values[name]


def with_header(card, values):
    """The card with its YAML header as huggingface_hub writes it; each result in the model-index gets its metric's value.

    Without any metrics there is no model-index. Raises EduError for a metric that was not measured.
    """
    from huggingface_hub import ModelCard
    from huggingface_hub.utils import yaml_dump

    read = ModelCard(card)
    if not any(name.startswith(RAW) for name in values):
        read.data.eval_results = read.data.model_name = None
    for result in read.data.eval_results or ():
        result.metric_value = json.loads(known(values, RAW + result.metric_value))
    header = yaml_dump(read.data.to_dict(), sort_keys=False, default_flow_style=None, width=1000)
    return f"---\n{header}---\n{read.text}"


def numbers(folder):
    """name -> text, from the configurations, card.json and, before both, metrics.json: "90.2 % [87.1, 92.6], n = 960".

    "below_floors" and "scores" are a sentence and a table, see above; RAW + a metric's name is its plain value, as JSON.
    """
    card, metrics = files.read_json(folder / "card.json"), files.read_json(folder / "metrics.json")
    facts = {name: str(value) for name, value in card.items() if name != "sha256"}
    made = {"below_floors": below_floors(card.get("below_floors", ()), metrics), "scores": table(metrics)}
    return (
        configured(folder)
        | facts
        | made
        | {name: text(score) for name, score in metrics.items()}
        | {RAW + name: json.dumps(score["value"]) for name, score in metrics.items()}
    )


def configured(folder):
    """{name: text} of CONFIGURED, as far as the folder has these files: numbers with four digits."""
    found = {name: (files.read_object(folder / path), key) for name, (path, key) in CONFIGURED.items()}
    return {name: text_of(config[key]) for name, (config, key) in found.items() if key in config}


def text_of(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(metrics):
    """All metrics as a Markdown table, or a sentence where there are none."""
    if not metrics:
        return "This folder has no `metrics.json` yet."
    rows = [f"| `{name}` | {text(score)} |" for name, score in metrics.items()]
    return "\n".join(["| metric | value |", "|---|---|", *rows])


def below_floors(names, metrics):
    """A sentence with the release floors that a checkpoint misses. names: the metrics in question, from its card.json."""
    if not metrics:
        return "Not compared with its release floors."
    floors = {name: floor for stage in FLOORS.values() for name, *floor in stage}
    return f"Below its release floor: {'; '.join(miss(n, metrics.get(n), floors.get(n)) for n in names) or 'nothing'}."


def miss(name, score, floor):
    """One metric below its floor: "`counts` 71.5 % (floor: at least 80 %)". score: None if not measured; floor: None if unknown."""
    if score is None:
        return f"`{name}` was not measured"
    if floor is None:
        return f"`{name}` {text(score)}"
    end, way, bar = floor
    return f"`{name}` {ENDS[end]}{plain(score[end], score)} (floor: {WAYS[way]} {plain(bar, score)})"


def plain(number, score):
    """A number in a score's unit, with enough digits to tell it from its floor."""
    return f"{number:.4g} {score['unit']}" if "unit" in score else f"{100 * number:.4g} %"


def text(score):
    """A metric as the card prints it: a share or value with its confidence interval, a count, or a value with its unit."""
    if isinstance(score["value"], int):
        return f"{score['value']:,} {score.get('unit', '')}".strip()
    if "low" in score and "unit" in score:
        value, low, high = (f"{score[k]:.2f}" for k in ("value", "low", "high"))
        return f"{value} [{low}, {high}] {score['unit']}, n = {score['n']}"
    if "low" in score:
        value, low, high = (f"{100 * score[k]:.1f}" for k in ("value", "low", "high"))
        return f"{value} % [{low}, {high}], n = {score['n']}"
    unit = " " + score["unit"] if "unit" in score else ""
    return f"{score['value']:.3g}{unit}, n = {score['n']:,}"


def sheet(pipe, rows):
    """Contact sheet of the images generated for these prompts, none selected: PNG bytes."""
    from .. import metrics as judge
    from ..figures import contact_sheet

    return contact_sheet(judge.draw(pipe, rows).cpu(), [row["prompt"] for row in rows]).png
