"""The sample director: the product's own director service, as it is.

A system that needs more of its director starts here; `orchestration.director` is the library.
"""

import sys

from orchestration.director.main import main

if __name__ == "__main__":
    sys.exit(main())
