"""Exercises of lesson 08: the whole pipeline."""

EXERCISES = []
