"""Every error a user of Tidewatch can be told about, and the exit code of each.

    TidewatchError                   1
     ├── CheckFailed                 1   the command ran and its answer is no: values differ, a gate is not met
     ├── ConfigError                 3   a setting is unknown, of the wrong type, out of range or contradicts another
     ├── MissingPrerequisite         4   the machine lacks something
     │    ├── NoJava                     there is no Java to run
     │    ├── WrongJava                  Java is there, in a version Spark does not run on
     │    ├── JarsNotReachable           a pinned jar is neither on disk nor to be downloaded
     │    ├── PortTaken                  another program listens where a service should
     │    ├── TooLittleMemory
     │    └── TooLittleDisk
     ├── ServiceError                5   a service did not start, does not answer or refused a request
     │    ├── ServiceDied                it ended while it started
     │    ├── StaleData                  a service's folder belongs to another version or cluster
     │    └── TopicMismatch              a topic differs from conf/topics.yaml in a way that cannot be corrected
     ├── CheckpointError             7   a streaming checkpoint cannot be continued
     └── ContractError               8   data are not what the contract says, as a whole rather than in one row

The layers below draw their own: features/errors.py (exit code 3) and models/errors.py (6). Besides: 0 done, 2 wrong
use of the command line, 70 a bug in Tidewatch (with a traceback), 130 interrupted.
A bad row is never an error: it is a dead letter.
"""
from __future__ import annotations

from features.errors import TidewatchError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130


class CheckFailed(TidewatchError):
    pass


class ConfigError(TidewatchError):
    exit_code = 3


class MissingPrerequisite(TidewatchError):
    exit_code = 4


class NoJava(MissingPrerequisite):
    pass


class WrongJava(MissingPrerequisite):
    pass


class JarsNotReachable(MissingPrerequisite):
    pass


class PortTaken(MissingPrerequisite):
    pass


class TooLittleMemory(MissingPrerequisite):
    pass


class TooLittleDisk(MissingPrerequisite):
    pass


class ServiceError(TidewatchError):
    exit_code = 5


class ServiceDied(ServiceError):
    pass


class StaleData(ServiceError):
    pass


class TopicMismatch(ServiceError):
    pass


class CheckpointError(TidewatchError):
    exit_code = 7


class ContractError(TidewatchError):
    exit_code = 8
