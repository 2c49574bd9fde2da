"""The course report, line by line: its statements beside measurements of a network."""
