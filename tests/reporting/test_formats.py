"""Tables as Markdown, as LaTeX, and with intervals in a person's form."""

import numpy as np
import pandas as pd

from cama.reporting.formats import merge_intervals, to_latex, to_markdown


def test_markdown_is_a_table_with_empty_cells_where_nothing_is_defined():
    table = pd.DataFrame({"method": ["cama", "jpeg"], "n": [3, 4], "rate": [0.123456, np.nan]})
    assert to_markdown(table) == ("| method | n | rate |\n| --- | --- | --- |\n| cama | 3 | 0.123 |\n| jpeg | 4 |  |\n")
    assert to_markdown(table, digits=2).splitlines()[2] == "| cama | 3 | 0.12 |"


def test_bounds_stand_in_the_cell_of_their_rate_where_they_are_known():
    rates = {"auc": [0.5, 0.25, np.nan], "auc_low": [0.4, np.nan, np.nan], "auc_high": [0.6, np.nan, np.nan]}
    shown = merge_intervals(pd.DataFrame({"n": [1, 2, 3], **rates}))
    assert list(shown.columns) == ["n", "auc"]
    assert list(shown.auc) == ["0.500 (0.400 to 0.600)", "0.250", ""]


def test_latex_has_a_row_a_line_and_escapes_what_latex_reads():
    rates = {"auc": [0.5, np.nan], "auc_low": [0.4, np.nan], "auc_high": [0.6, np.nan]}
    table = pd.DataFrame({"a_name": ["cama_plus & 5%", "b#{~}"], "n": [3, 4], **rates, "psnr": [34.56789, np.nan]})
    lines = to_latex(table).splitlines()
    assert "a name & n & auc & psnr \\\\" in lines
    assert "cama\\_plus \\& 5\\% & 3 & 0.500 (0.400 to 0.600) & 34.568 \\\\" in lines
    assert "b\\#\\{\\textasciitilde \\} & 4 &  &  \\\\" in lines
    assert lines[0].startswith("\\begin{longtable}")
    assert lines[-1] == "\\end{longtable}"
