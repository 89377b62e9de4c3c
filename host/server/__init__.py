"""One process of `inkling serve`: its settings, its inputs, its sites, and what it does with their records."""
