"""By which tags a trial's runs are known in MLflow."""

SEARCH = "search"  # the search's name
SEARCH_ID = "search_id"  # its own: a name may be used anew
TRIAL = "trial"  # its number
REPEAT = "repeat"  # which of the trial's trainings, from 0; or:
SUMMARY = "all"  # what holds several of them together
