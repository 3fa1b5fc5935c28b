"""The grid on which crops and patches lie."""

PHASES = 16  # the JPEG grid of a 4:2:0 picture repeats after 16 pixels


def grid_origins(length: int, size: int, count: int | None = None) -> list[int]:
    """Origins of non-overlapping windows of `size` in `length` pixels, centred; at most `count` of them."""
    fit = length // size
    used = fit if count is None else min(fit, count)
    start = (length - used * size) // 2
    return [start + i * size for i in range(used)]
