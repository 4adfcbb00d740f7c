"""What `test_contributing.py` adds to a copy of the program, as a contributor would."""
