"""From product files to rows in splits: reading, folding, splitting and the intake.

In data order: `files` finds the files, `text_lines`, `csv_rows`, `json_rows` and `parquet_rows`
read them, `reading` makes rows of them, `category` and `folding` normalise labels and texts,
`splitting` says where a text belongs, and `intake` decides row by row what is kept, with its
findings in `report`. `profile` counts what rows are like, and `comparing` says, by `distances`,
where later rows are not, in `anomalies`. Nothing here imports TensorFlow; pyarrow and numpy load on
first use.
"""
