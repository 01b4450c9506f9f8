"""`python -m captionstew` is the command `captionstew`."""

import sys

from captionstew.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
