"""Values to text, tables, figures and documents. Nothing is written here."""
