"""Records of the host to an MQTT broker, and its devices to Home Assistant."""
