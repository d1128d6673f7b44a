"""What `billing explain` says of a line, a file for each subject.

A subject is a function of a `Line` that yields text no wider than a document; `line.py`
puts them in order.
"""
