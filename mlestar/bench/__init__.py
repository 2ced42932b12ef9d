"""`mlestar bench`: this package and other tools on a suite of tasks, graded on labels that none of them saw.

`find` finds tasks, answers and tools; `run` runs each tool on each task; `rows` is what is recorded; `tables` shows it.
"""
