"""The commands of a site's host."""
