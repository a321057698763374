"""Questions about the field and about the harness itself, asked with the harness. It does not know them."""
