import sys

from perptape.cli import main

sys.exit(main())
