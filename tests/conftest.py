"""Settings of all tests."""

from hypothesis import settings

# the same examples each time, and no failure because a machine is slow
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")
