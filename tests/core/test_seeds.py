"""Seeds."""

from cama.core.seeds import derive_seed


def test_seeds_differ_by_every_name_and_fit_a_signed_integer():
    uses = [(1,), (2,), (1, "a"), (1, "b"), (1, "a", "b"), (1, "ab"), (1, "b", "a"), (1, "a", 1)]
    seeds = {derive_seed(*use) for use in uses}
    assert len(seeds) == len(uses)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(1, "a") == derive_seed(1, "a")
    assert derive_seed(1, 3) == derive_seed(1, "3")
