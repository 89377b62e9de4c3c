"""The receiving end: finds frames, estimates the bit error rate of the link, classifies images; tools for boards."""
