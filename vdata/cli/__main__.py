"""`python -m vdata.cli`: the same as `vdata`."""

from vdata.cli import main

if __name__ == "__main__":
    main()
