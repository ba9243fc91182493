"""`python -m bigbar`: see `bigbar.history`."""

import sys

from bigbar.history.command import main

if __name__ == "__main__":
    sys.exit(main())
