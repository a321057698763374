"""The field's advice, claim by claim, held against what was measured."""
