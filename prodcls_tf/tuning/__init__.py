"""Searches for better settings. In reading order:

space.py         the settings of a search: which settings are tried, and how widely
dimensions.py    the space as KerasTuner's hyperparameters, and a trial's values as settings
rows.py          the rows of a search on disk, the same for every trial
trial.py         one trial, a process of its own
pruning.py       which trials are stopped early
tuner.py         KerasTuner's loop over the trials
search.py        everything together
"""
