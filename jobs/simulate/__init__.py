"""A seeded world of users and merchants, its honest payments, attacks on it, and the ways to send them anywhere."""
