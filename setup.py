"""Installation: every direct dependency, pinned, with the reason it is there. Transitive pins: conf/constraints.txt."""
from pathlib import Path

from setuptools import find_packages, setup

REQUIRES = [
    "pyspark==4.2.0",            # streaming, state and batch
    "delta-spark==4.4.0",        # tables with exactly-once appends and time travel
    "pandas==2.3.3",             # what a pandas UDF receives; PySpark 4.2 needs < 3
    "pyarrow==25.0.1",           # columns between the JVM and Python without copying rows
    "numpy==2.4.6",              # the feature kernel
    "numba==0.68.1",             # compiles the kernel's exact paths, which numpy cannot vectorise
    "scikit-learn==1.8.0",       # the isolation forest
    "mlflow==3.17.2",            # model registry with aliases
    "kafka-python[crc32c]==3.0.12",  # transactions and administration, which Spark's sink lacks; checksums in C
    "msgspec==0.22.0",           # parses and writes JSON several times faster than the standard library
    "pydantic==2.14.3",          # typed settings with errors that name the key
    "PyYAML==6.0.3",             # reads conf/*.yaml
    "typer==0.29.2",             # the command line
    "rich==15.0.0",              # tables and progress on the screen
    "psutil==7.2.2",             # finds and ends the processes that `tidewatch up` started
]

POSTGRES_REQUIRES = [
    "psycopg2-binary==2.9.13",   # a model registry in PostgreSQL, as docker-compose.yml has it
]

DEV_REQUIRES = [
    "pytest==9.2.0",             # runs the tests
    "pytest-timeout==2.4.0",     # ends a test that waits for a service for ever
    "hypothesis==6.170.15",      # property tests: parity, no future leak, parse never raises
    "matplotlib==3.11.2",        # the picture of make bench
    "shap==0.51.0",              # the reference that models/tree_shap.py is compared with
    "ruff==0.17.5",              # lint
    "mypy==2.4.1",               # types, strict on features and models
    "pandas-stubs==2.3.3.260113",  # types of pandas
    "types-PyYAML==6.0.12.20261113",  # types of PyYAML
    "types-psutil==7.2.2.20261111",   # types of psutil
]

setup(
    name="tidewatch",
    version="0.1.0",
    description="Finds fraud in payments while they happen: Kafka, Spark Structured Streaming, Delta Lake",
    long_description=Path("README.md").read_text(encoding="utf-8") if Path("README.md").is_file() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.12",
    packages=find_packages(include=["features*", "models*", "jobs*"]),
    install_requires=REQUIRES,
    extras_require={"dev": DEV_REQUIRES, "postgres": POSTGRES_REQUIRES},
    entry_points={"console_scripts": ["tidewatch = jobs.cli:main"]},
)
