"""From nothing to explained alerts, on real parts, in minutes."""
