"""A real broker, and fakes of what is around it."""
