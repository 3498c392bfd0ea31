"""The modules of tests/benchmarks/gpu.py.

pool.py       scenes and their captions in token ids, written by worker processes; on the device with latents
compose.py    images of scenes, composed entirely on the device
learn.py      the training loop of every stage, and how results are written
base.py       the stage base: U-Net and text encoder; compiled if that gives the same gradient
towers.py     the stage clip
sight.py      the stage judge
control.py    the stages canny and segmentation
checks.py     the stages checks and measures
"""
