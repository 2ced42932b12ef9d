"""`mlestar bench`: this package and other tools on a suite of tasks, graded on labels that none of them saw.

`suite` finds tasks and answers, `tools` run one task each, `rows` are what is recorded, `tables` show it.
"""
