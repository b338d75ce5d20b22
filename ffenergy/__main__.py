"""`python -m ffenergy` is the command `ffenergy`."""

from ffenergy.cli import main

if __name__ == "__main__":
    main(prog_name="ffenergy")
