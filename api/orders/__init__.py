"""Orders: accepting them, showing them, and taking what was signed."""
