"""``python -m instrumented``."""

from instrumented.script.command import main

if __name__ == "__main__":
    main(prog_name="instrumented")
