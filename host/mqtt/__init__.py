"""MQTT: the broker's address, the topics, a connection that comes back by itself, and what waits to be sent."""
