"""One trial's lifecycle, and the order in which a run goes through them."""
