"""The kill matrix of orders, and a reader that shares nothing with the program."""
