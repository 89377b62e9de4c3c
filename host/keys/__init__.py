"""Device keys of a host: who may speak for which device, and how much of a frame must be authentic."""
