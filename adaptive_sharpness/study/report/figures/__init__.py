"""One figure a file, each with `draw(tables) -> figures`: from `Tables` to Matplotlib's figures by their folder.

A folder is such as "report/worst_case", of one protocol and measure; "" where a figure is of the whole study. The
first line of the file's docstring is the figure's title, the rest its caption. What `draw` leaves out is not drawn.
"""
