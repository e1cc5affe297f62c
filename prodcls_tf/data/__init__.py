"""From product files to rows in splits: reading, folding, splitting and the intake.

In data order: `files` finds the files, `detecting` tells their encoding, `text_lines`, `csv_rows`,
`json_rows` and `parquet_rows` read them, with what they notice in `notes`, and `reading` makes rows
of them. `cleaning`, `category` and `folding` normalise texts and labels, `near` says which texts
are nearly the same, `splitting` where a key belongs, `preparing` puts that together for a row.
`intake` decides row by row what is kept (`first_pass`, `decisions`), with its findings in `report`
and what it left out in `rejects`. Nothing here imports TensorFlow; pyarrow and numpy load on first
use.
"""
