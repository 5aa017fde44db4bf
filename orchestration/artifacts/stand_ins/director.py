"""The director of an architecture whose own sources are not there: the product's, as it is."""

import sys

from orchestration.director.main import main

if __name__ == "__main__":
    sys.exit(main())
