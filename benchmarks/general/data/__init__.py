"""The labelled images that are taught and tested."""
