"""All contact with the outside world."""
