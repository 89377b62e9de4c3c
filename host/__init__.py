"""The receiving end: finds frames on a serial line, estimates its bit error rate, classifies what came."""
