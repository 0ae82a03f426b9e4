"""Checks of the exercises, one module a topic: ``exercises.check_NAME(your_function)``."""

from mtl_utils.exercises.checking import CHECKS, Answer, Exercise, Verdict, exercise

__all__ = ["CHECKS", "Answer", "Exercise", "Verdict", "exercise"]
