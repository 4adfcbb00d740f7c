"""`python -m crust_pipeline` is the command line."""

from crust_pipeline.cli.main import main

if __name__ == "__main__":
    main()
