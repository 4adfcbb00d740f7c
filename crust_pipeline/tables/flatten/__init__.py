"""From the lines of landed files to the rows of tables: assigned, read, written."""
