"""`report.html`: one page about one run, which opens offline and asks the network for nothing."""
