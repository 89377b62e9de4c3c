"""The comparisons behind every number in the docs, and the demo."""
