"""The comparison of a general bundle, taught classes that its training never saw, with what one would do instead."""
