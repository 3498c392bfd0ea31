"""The command line: one file for each verb; main.py reads the arguments, shipped checkpoints are made in release.py."""
