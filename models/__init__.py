"""What is thought about a transaction: detectors, calibration, explanations and policy."""
