"""Store of a site's records: one SQLite file with readings, statuses, events, devices, labels and totals by hour."""
