"""One site: its gateways, its lines and at most 255 devices; from received bytes to records."""
