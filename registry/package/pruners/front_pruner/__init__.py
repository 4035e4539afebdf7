"""Prunes trials of two objectives, an accuracy and a size that is known before the training."""

from ._rule.front_pruner import FrontPruner, WatchedTrial

__all__ = ["FrontPruner", "WatchedTrial"]
