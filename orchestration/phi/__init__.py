"""`billing phi-scan`: is anything that tells of a patient in what the project wrote?

- `identifiers`: what identifies, and how it is recognised in any writing of it;
- `landed`, `kept`: the identifiers of the landing directory and of the warehouse's
  restricted schema, read in memory, never written;
- `written`: everything the project wrote, as text;
- `scan`: the one looked for in the other.
"""
