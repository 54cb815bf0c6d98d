"""What is known about a transaction: the record, its history and every feature, in Python and numpy."""
