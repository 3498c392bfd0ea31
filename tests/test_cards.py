"""The model cards: short, complete, readable by huggingface_hub, and their quick starts are Python that names the folder."""

import json
import re

import pytest
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.utils import HFValidationError, validate_repo_id

from edu_diffusion.cli import cards, floors
from edu_diffusion.data import files
from edu_diffusion.errors import EduError

ROOT = files.PACKAGE / "checkpoints"
NAMES = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
SECTIONS = ["Quick start", "Uses", "Data", "Training", "Evaluation", "Limits and biases", "Licence", "Citation"]
TEMPLATE = """---
license: mit
datasets: []
model-index:
- name: thing
  results:
  - task: {type: text-to-image}
    dataset: {name: scenes, type: custom}
    metrics:
    - {type: accuracy, value: counts, name: the right count}
    - {type: psnr, value: quality}
---
# thing

{{counts}}, seed {{seed}}

{{below_floors}}

{{scores}}
"""


def readme(name):
    return (ROOT / name / "README.md").read_text(encoding="utf-8")


def stored(name):
    path = ROOT / name / "metrics.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def blocks(name, language):
    """The code blocks of a card in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", readme(name), re.DOTALL | re.MULTILINE)


def test_every_checkpoint_has_a_template():
    assert {f"{name}.card.md" for name in NAMES} == {path.name for path in ROOT.glob("*.card.md")}


@pytest.mark.parametrize("name", NAMES)
def test_a_card_is_short(name):
    assert len(readme(name).splitlines()) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_a_card_has_all_its_sections_in_order(name):
    assert re.findall("^## (.*)$", readme(name), re.MULTILINE) == SECTIONS
    assert re.search(rf"^# {name}: ", readme(name), re.MULTILINE)
    section = dict(part.split("\n", 1) for part in readme(name).split("\n## ")[1:])
    assert "**Made for**" in section["Uses"] and "**Out of scope**" in section["Uses"]
    assert len(re.findall(r"^\|(?:---\|)+$", section["Training"], re.MULTILINE)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_the_header_says_what_a_hub_asks(name):
    data = ModelCard(readme(name)).data
    assert data.license == "mit" and data.language == ["en"] and data.pipeline_tag and data.tags
    assert data.library_name == {"clip": "transformers", "judge": "edu_diffusion"}.get(name, "diffusers")
    assert data.datasets == []  # ids of data sets on the hub: ours are in the repository


@pytest.mark.parametrize("name", NAMES)
def test_the_results_in_the_header_are_those_of_metrics_json(name):
    found = ModelCard(readme(name)).data.eval_results or []
    asked = ModelCard((ROOT / f"{name}.card.md").read_text(encoding="utf-8").replace("{{", "").replace("}}", "")).data.eval_results
    metrics = stored(name)
    assert [result.metric_value for result in found] == [metrics[result.metric_value]["value"] for result in asked or [] if metrics]
    assert bool(found) == bool(metrics) and all(isinstance(result, EvalResult) for result in found)
    assert all(result.dataset_type == "custom" and result.metric_name for result in found)


@pytest.mark.parametrize("name", NAMES)
def test_the_quick_start_is_python_that_names_the_folder(name):
    (code,) = blocks(name, "python")
    compile(code, name, "exec")
    assert f'"edu_diffusion/checkpoints/{name}"' in code
    paths = re.findall(r'"((?:edu_diffusion|datasets)/[^"]+)"', code)
    assert all((files.PACKAGE.parent / path).exists() for path in paths)


@pytest.mark.parametrize("name", NAMES)
def test_the_citation_names_the_checkpoint(name):
    (text,) = blocks(name, "bibtex")
    assert f'"checkpoint {name}"' in text and text.count("{") == text.count("}")


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_card_lead_somewhere(name):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme(name)) if "://" not in link]
    assert links and all((ROOT / name / link).exists() for link in links)


@pytest.mark.parametrize("name", NAMES)
def test_every_floor_that_is_missed_stands_in_the_card(name):
    missed = json.loads((ROOT / name / "card.json").read_text(encoding="utf-8")).get("below_floors", [])
    (line,) = re.findall(r"^(?:- )?Below its release floor: (.*)\.$", readme(name), re.MULTILINE) or [""]
    assert re.findall("`([^`]+)`", line) == missed
    assert line == "nothing" if stored(name) and not missed else "nothing" not in line


def test_floors_are_told_in_the_unit_of_their_score():
    metrics = {
        "counts": {"value": 0.7996, "n": 100, "low": 0.7, "high": 0.87},
        "quality": {"value": 16.4548, "n": 95, "unit": "dB"},
        "habit_gain": {"value": 0.04, "n": 18, "low": -0.0284, "high": 0.11, "unit": "share"},
    }
    assert cards.below_floors(["counts", "quality", "habit_gain", "mottle"], metrics) == (
        "Below its release floor: `counts` 79.96 % (floor: at least 80 %); `quality` 16.45 dB (floor: at least 22 dB); "
        "`habit_gain` lower end -0.0284 share (floor: above 0 share); `mottle` was not measured."
    )
    assert cards.below_floors(["beauty"], {"beauty": {"value": 0.5, "n": 9}}) == "Below its release floor: `beauty` 0.5, n = 9."
    assert cards.below_floors([], metrics) == "Below its release floor: nothing."
    assert cards.below_floors([], {}) == "Not compared with its release floors."


def test_no_metric_has_two_floors():
    names = [name for floors in floors.FLOORS.values() for name, *_ in floors]
    assert len(names) == len(set(names)) and set(cards.WAYS) == set(floors.HOLDS)


def written(folder, metrics=None):
    """The card of a folder with these metrics, None: without any."""
    files.write_json(folder / "card.json", {"seed": 7})
    if metrics is not None:
        files.write_json(folder / "metrics.json", metrics)
    return cards.fill(TEMPLATE, cards.numbers(folder))


def test_a_card_is_written_with_results_that_the_library_reads_back(tmp_path):
    metrics = {"counts": {"value": 0.9, "n": 100, "low": 0.83, "high": 0.94}, "quality": {"value": 20.5, "n": 95, "unit": "dB"}}
    text = written(tmp_path, metrics)
    data = ModelCard(text).data
    assert data.model_name == "thing" and data.datasets == []
    assert [(r.metric_type, r.metric_value, r.metric_name) for r in data.eval_results] == [
        ("accuracy", 0.9, "the right count"),
        ("psnr", 20.5, None),
    ]
    assert "90.0 % [83.0, 94.0], n = 100, seed 7\n" in text and "| `quality` | 20.5 dB, n = 95 |" in text
    assert ModelCard(str(ModelCard(text))).data.to_dict() == data.to_dict()


def test_a_result_that_was_not_measured_is_refused(tmp_path):
    with pytest.raises(EduError, match="quality"):
        written(tmp_path, {"counts": {"value": 0.9, "n": 100}})


def test_a_folder_without_metrics_has_no_model_index(tmp_path):
    files.write_json(tmp_path / "card.json", {"seed": 7})
    text = cards.fill(TEMPLATE.replace("{{counts}}, ", ""), cards.numbers(tmp_path))
    assert "model-index" not in text and ModelCard(text).data.eval_results is None
    assert "Not compared with its release floors." in text and "This folder has no `metrics.json` yet." in text


def test_a_path_is_no_id_of_a_data_set():
    """Why the headers name no data set: a path of this repository would be read as one of the hub's, or refused."""
    validate_repo_id("datasets/emoji")
    with pytest.raises(HFValidationError):
        validate_repo_id("edu_diffusion/datasets/emoji")
