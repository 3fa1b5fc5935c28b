"""The tones of one picture as a curve of another's, fitted to most of the pixels, so that a changed part does not move it."""

import numpy as np
from scipy.optimize import lsq_linear

SLOPES = (0.3, 6.0)  # of a curve; a flatter one would explain away a part painted over
PRIOR = 0.2  # weight of the slope 1 and of equal slopes next to each other, relative to that of the pixels
SHARES = (-1.0, 1.0)  # of other columns in a fit
SAMPLE = 4000  # pixels at most that a curve is fitted to
LEAST_SECTION = 6.0  # grey levels between two knots
STEPS = 8  # of reweighting
LEAST_SCALE = 0.5  # grey levels: what differs by less is rounding


def robust_scale(rest: np.ndarray) -> float:
    """The standard deviation of most of `rest`, in its units, and at least `LEAST_SCALE` more than zero."""
    return 1.4826 * float(np.median(np.abs(rest))) + LEAST_SCALE


def fit_tones(target: np.ndarray, values: np.ndarray, knots: int, others: np.ndarray | None = None) -> np.ndarray:
    """The curve of `values` (N), continuous with slopes in `SLOPES`, that is nearest to most of `target` (N), at `values`.

    `others` (N, E): further columns, of which shares are added, such as the differences to other channels. All in grey levels.
    """
    places = _knots(values, knots)
    step = max(1, len(values) // SAMPLE)
    seen, aim = values[::step], target[::step]
    columns = _sections(seen, places)
    count, extra = len(places) - 1, 0 if others is None else others.shape[1]
    if others is not None:
        columns = np.concatenate([columns, others[::step]], 1)
    prior, wanted = _prior(count, extra)
    prior, wanted = prior * PRIOR * np.sqrt(len(seen)), wanted * PRIOR * np.sqrt(len(seen))
    low = [-np.inf, *[SLOPES[0]] * count, *[SHARES[0]] * extra]
    high = [np.inf, *[SLOPES[1]] * count, *[SHARES[1]] * extra]
    found = seen + np.median(aim - seen)
    factors = np.zeros(1 + count + extra)
    for _ in range(STEPS):
        rest = aim - found
        weights = 1 / (1 + (rest / (2 * robust_scale(rest))) ** 2)  # squared in the fit: what is far off does not count
        left, right = columns * weights[:, None], aim * weights
        gram = left.T @ left + prior.T @ prior + 1e-6 * np.eye(columns.shape[1])
        moment = left.T @ right + prior.T @ wanted
        factors = np.linalg.solve(gram, moment)
        if np.any((factors < low) | (factors > high)):
            triangle = np.linalg.cholesky(gram).T
            factors = lsq_linear(triangle, np.linalg.solve(triangle.T, moment), (low, high), method="bvls").x
        found = columns @ factors
    curve = _sections(values, places) @ factors[: 1 + count]
    return curve if others is None else curve + others @ factors[1 + count :]


def _knots(values: np.ndarray, count: int) -> np.ndarray:
    """At least two places on the scale of `values`, not next to each other: `count` from their darkest to their brightest,
    denser where it is dark, since curves bend most there; and half as many at equal shares of them.
    """
    low, high = np.percentile(values, (1, 99))
    spread = low + (high - low) * np.linspace(0, 1, count) ** 2
    wanted = np.sort(np.concatenate([spread, np.percentile(values, np.linspace(1, 99, count // 2 + 1))]))
    kept = [wanted[0]]
    for place in wanted[1:]:
        if place - kept[-1] >= LEAST_SECTION:
            kept.append(place)
    return np.array(kept if len(kept) > 1 else [kept[0], kept[0] + LEAST_SECTION])


def _sections(values: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """The columns (N, K) of a curve through K knots: one, and for each section how far a value is along it. The first and the
    last section go on without an end.
    """
    ends = [-np.inf, *knots[1:-1], np.inf]
    starts = [knots[0], *knots[1:-1]]
    along = [np.clip(values, ends[n], ends[n + 1]) - starts[n] for n in range(len(knots) - 1)]
    return np.stack([np.ones_like(values), *along], 1)


def _prior(count: int, extra: int) -> tuple[np.ndarray, np.ndarray]:
    """Lines of a fit and what they should give: each slope 1, slopes next to each other equal, other shares zero."""
    lines = np.zeros((2 * count - 1 + extra, 1 + count + extra))
    wanted = np.zeros(len(lines))
    for number in range(count):
        lines[number, 1 + number] = wanted[number] = 1.0
    for number in range(count - 1):
        lines[count + number, 1 + number : 3 + number] = -2.0, 2.0
    for number in range(extra):
        lines[2 * count - 1 + number, 1 + count + number] = 2.0
    return lines, wanted
