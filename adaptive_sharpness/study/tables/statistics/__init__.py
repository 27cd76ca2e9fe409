"""One statistic of tau.csv a file: COLUMNS, a tuple of `Column`, and a function of the file's name.

`name(comparisons) -> rows`: from a sequence of `Comparison`, one for each row of the table, to a mapping from columns
to values for each. It gets all of them at once, so that it can correct for their number.
"""
