"""How often a race is run: as often as the rules were tried with, in `make test-long`; less in every other run."""

from hypothesis import settings

IS_LONG = settings.get_current_profile_name() == "full"
ROUNDS = 300 if IS_LONG else 75  # of two calls each
