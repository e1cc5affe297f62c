"""From product files to rows in splits: reading, folding, splitting and the intake.

In data order: `spans` and `files` find the files, `detecting` tells their encoding, `text_lines`,
`csv_rows`, `json_rows` and `parquet_rows` read them, with what they notice in `notes`, and
`reading` makes rows of them. `cleaning`, `category` and `folding` normalise texts and labels,
`near` says which texts are nearly the same, `preparing` puts that together for a row. `intake` has
the rules by which a row is kept. `parts` cuts files where `cutting` says; `first_pass` writes each
part's `ledger` of `digests`, `concluding` decides about all of them (`deciding`, `decisions`;
`placing` gives keys their splits, so many as `shares` says and where `placements` remembers them),
and `second_pass` reads a part again; findings are in `report`, what was left out in `rejects`.
`profile` counts what rows are like, and `comparing` says, by `distances`, where later rows are not,
in `anomalies`. Nothing here imports TensorFlow; pyarrow loads on first use.
"""
