"""Our row in LAMBench's table of elastic moduli: python benchmarks/lambench.py [MODEL]"""

import sys

from boards import LAMBENCH, table_of

if __name__ == "__main__":
    print(table_of(LAMBENCH, *sys.argv[1:2]))
