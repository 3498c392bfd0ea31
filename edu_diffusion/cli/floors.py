"""The floors that a checkpoint must reach before it replaces the shipped one."""

import operator

AT_LEAST, MORE, AT_MOST, LESS = ">=", ">", "<=", "<"
HOLDS = {AT_LEAST: operator.ge, MORE: operator.gt, AT_MOST: operator.le, LESS: operator.lt}


# Any blob in the middle has an IoU of 0.6 with every hand-drawn shape: this floor only means something together with _gain.
FLOORS = {  # stage: (score, its value or an end of its 95 % interval, comparison, minimum or maximum)
    "judge": [
        ("judge_concept", "value", AT_LEAST, 0.98),
        ("judge_style", "value", AT_LEAST, 0.98),
        ("judge_size", "value", AT_LEAST, 0.98),
        ("judge_place", "value", AT_LEAST, 0.98),
    ],
    "clip": [("core_recall_text_to_image", "low", MORE, 0.6), ("core_recall_image_to_text", "low", MORE, 0.6)],
    "base": [
        ("full_concept_quoted", "value", AT_LEAST, 0.95),
        ("full_colour", "value", AT_LEAST, 0.98),
        ("style_shown_quoted", "value", AT_LEAST, 0.9),
        ("unseen_wording_quoted", "value", AT_LEAST, 0.8),
        ("heldout_colour_pairs_quoted", "value", AT_LEAST, 0.9),
        ("heldout_style_pairs", "value", AT_LEAST, 0.3),
        ("category_quoted", "value", AT_LEAST, 0.85),
        ("counts", "value", AT_LEAST, 0.8),
        ("pairs_quoted", "value", AT_LEAST, 0.5),
        ("calibration_excess", "value", AT_MOST, 0.1),
        ("steps_1_over_20", "value", AT_LEAST, 3),
        ("quality", "value", AT_LEAST, 22),
        ("mottle", "value", AT_MOST, 4),
        ("guided_accuracy_gain", "low", MORE, 0),
        ("guided_variety_gain", "high", LESS, 0),
        ("habit_gain", "low", MORE, 0),
        ("control_gain", "low", AT_MOST, 0),
    ],
    "canny": [
        ("canny_f1_gain", "value", AT_LEAST, 0.25),
        ("canny_f1_over_shuffled", "low", MORE, 0),
        ("canny_shapes_iou", "value", AT_LEAST, 0.6),
        ("canny_shapes_iou_gain", "value", AT_LEAST, 0.15),
    ],
    "segmentation": [
        ("segmentation_iou_gain", "value", AT_LEAST, 0.25),
        ("segmentation_iou_over_shuffled", "low", MORE, 0),
        ("segmentation_shapes_iou", "value", AT_LEAST, 0.6),
        ("segmentation_shapes_iou_gain", "value", AT_LEAST, 0.15),
    ],
    "lora": [("style", "value", AT_LEAST, 0.8), ("concept_shown_change", "low", AT_LEAST, -0.1)],
    "inversion": [("subject_gain", "low", MORE, 0)],
    "few_steps": [
        ("excess_ratio_lora_tcd06_4", "value", AT_MOST, 1.3),
        ("excess_over_lora_tcd06_4", "high", LESS, 0),
        ("excess_over_lora_lcm_1", "high", LESS, 0),
        ("concept_change_lora_tcd06_4", "value", AT_LEAST, -0.02),
    ],
}


def below(name, scores):
    """Print the table of floors; returns the names of the scores that miss theirs or were not measured."""
    missed = []
    for score, end, way, bar in FLOORS[name]:
        value = scores.get(score, {}).get(end)
        fine = value is not None and HOLDS[way](value, bar)
        missed += [] if fine else [score]
        text = "unknown" if value is None else f"{value:.3f}"
        print(f"  {'ok' if fine else 'MISSED':7s}{score:32s}{end:6s}{text:>8s} {way:2s} {bar:g}", flush=True)
    return missed
