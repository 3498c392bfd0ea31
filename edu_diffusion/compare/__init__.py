"""Every way of teaching a model something new, side by side: methods.py, bench.py measures them, table.py shows it."""
