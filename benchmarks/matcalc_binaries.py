"""Our row in MatCalc's table of binary compounds: python benchmarks/matcalc_binaries.py [MODEL]"""

import sys

from boards import MATCALC, table_of

if __name__ == "__main__":
    print(table_of(MATCALC, *sys.argv[1:2]))
