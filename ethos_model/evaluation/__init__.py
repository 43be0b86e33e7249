"""How good is a model, under which conditions, for whom: the rooms behind `evaluate`.

The way of the data: `samples` reads frames, `conditions` (with `corruptions`) degrades
them, `gather` predicts and `scores` them beside the mean face of `baseline`, `summary`
turns that into the plain numbers of `results` (with `bootstrap` and `slices`), and
`table` and `page` show them.
"""
