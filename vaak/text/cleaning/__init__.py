"""What is not text goes: markup, links, code, tables, boilerplate, mojibake."""
