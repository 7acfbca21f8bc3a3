"""All SQL text and the connections it runs on."""
