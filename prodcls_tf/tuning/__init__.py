"""Searches for better settings. In reading order:

space.py         the settings of a search: which settings are tried, and how widely
dimensions.py    the space as KerasTuner's hyperparameters, and a trial's values as settings
oracle.py        what chooses the values of the next trial
rows.py          the rows of a search on disk, the same for every trial
processes.py     processes whose progress is passed on, and which end with the search
results.py       what trials and searches come to
trial.py         one trial, a process of its own
pruning.py       which trials are stopped early
trials.py        runs the trials, and keeps their results
workers.py       several workers that search together
worker.py        one of them, a process of its own
confirming.py    which of the best trials is better, and not by luck alone
tuner.py         KerasTuner's loop over the trials
search.py        everything together
watching.py      what TensorBoard shows of it
"""
