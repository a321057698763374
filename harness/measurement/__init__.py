"""Raw text and arrays in, observations out. Pure: no file is opened here."""
