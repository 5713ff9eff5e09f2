"""`python -m vdata.cli`: the same as `vdata`."""

from vdata.cli import main

main()
