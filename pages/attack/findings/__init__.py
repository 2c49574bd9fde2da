"""What the Test set page shows of an evaluation, a section in each module."""
