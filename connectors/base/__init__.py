"""What all venues share: the session protocol, its driver, REST, the market map."""
