"""Exercises of lesson 00: a first image."""

EXERCISES = []
