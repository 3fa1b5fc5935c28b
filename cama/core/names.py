"""Names that settings and stages share."""

PAIRS = "pairs.csv"  # of a folder of pictures that another program attacked
NUMBERS = "numbers"  # the detector that is a logistic regression


def run_names(generator: str, runs: int) -> list[str]:
    """The names of a generator's trainings: its own, then NAME~2, NAME~3 ..., which no block of the config can be called."""
    return [generator, *(f"{generator}~{run}" for run in range(2, runs + 1))]


def run_of(name: str) -> tuple[str, int]:
    """The generator and the number of the training that `run_names` gave this name."""
    generator, _, run = name.partition("~")
    return generator, int(run or 1)
