"""What needs privileges, and so does not run with the tests."""
