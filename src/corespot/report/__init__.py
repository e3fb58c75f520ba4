"""DataFrames to plotly figures, tables and standalone HTML."""
