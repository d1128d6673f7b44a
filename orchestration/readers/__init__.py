"""One reader per usage format.

Each module has

- `SUFFIXES`: how names of its files end;
- `is_beside(path)`: whether a file lies beside the usage and is never opened;
- `is_format(columns)`: whether a file's header or opening is that of the format;
- `is_told_when(path)`: whether something beside a file tells when rows of it without
  a mark were received; the file is then read again if it was read without;
- `order(columns)`: files of a feed are read from low to high;
- `open_rows(connection, columns, time_zone)`: the rows as relations, see `sent_rows`;
  raises UnreadableFile if the file as a whole is not what it seems.
"""
