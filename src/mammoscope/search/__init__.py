"""Searches: which trial comes next, whose it is, and what it came to. The only door to Optuna."""

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)  # it tells of every trial, and of how it draws, by a log of its own
