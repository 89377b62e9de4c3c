"""What a duty cycle leaves room for."""

# EU868, most sub-bands: ETSI EN 300 220-2.
DUTY_CYCLE = 0.01


def messages_an_hour(air_time_s: float, duty_cycle: float = DUTY_CYCLE) -> float:
    """How many packets of this air time a duty cycle allows in an hour."""
    return 3600 * duty_cycle / air_time_s
