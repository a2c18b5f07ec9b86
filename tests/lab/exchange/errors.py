# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal looks like: the class that Exchange throws, the fully qualified id, and its words.

Where the class or the words are known from a document, it is named. The others are in the manner of
Exchange, unverified: nothing may branch on them but that something was refused.
"""

from __future__ import annotations

import datetime
import typing as t
import uuid
import zlib


class ExchangeError(Exception):
    """A refusal. `category` is that of the error record; a `terminating` error ends the pipeline,
    any other goes to its error stream.
    """

    def __init__(
        self,
        class_name: str,
        fully_qualified_error_id: str,
        category: str,
        message: str,
        *,
        terminating: bool = False,
    ) -> None:
        super().__init__(message)
        self.class_name = class_name
        self.fully_qualified_error_id = fully_qualified_error_id
        self.category = category
        self.message = message
        self.terminating = terminating

    def plain(self) -> dict[str, t.Any]:
        """The error as data, for the proxies in PowerShell."""
        return {
            "class": self.class_name,
            "id": self.fully_qualified_error_id,
            "category": self.category,
            "message": self.message,
            "terminating": self.terminating,
        }


def corrupted(identity: t.Any) -> ExchangeError:
    """An object that is not valid. The words are those of Exchange's warning about it; the class is
    unverified.
    """
    return task_error(
        "DataValidationException",
        f"The object {identity} has been corrupted, and it's in an inconsistent state.",
        "InvalidData",
    )


def task_error(class_name: str, message: str, category: str = "InvalidArgument") -> ExchangeError:
    """A refusal by the task behind a cmdlet. Its id is a hash of the class; the host puts what its
    version prints around it.
    """
    return ExchangeError(class_name, f"{zlib.crc32(class_name.encode()):08X}", category, message)


def invalid(message: str) -> ExchangeError:
    """A value, or several together, that the object refuses when it is saved (class and words
    unverified).
    """
    return task_error("DataValidationException", message, "InvalidData")


def not_here(parameter: str, edge: bool) -> ExchangeError:
    """A parameter that the server's role does not take (New-ReceiveConnector.md,
    New-SendConnector.md; words unverified).
    """
    where = (
        "on an Edge Transport server" if edge else "on a server that isn't an Edge Transport server"
    )
    return task_error(
        "InvalidOperationException",
        f"You can't use the {parameter} parameter {where}.",
        "InvalidOperation",
    )


def not_found(identity: t.Any, controller: str) -> ExchangeError:
    """No such object."""
    return task_error(
        "ManagementObjectNotFoundException",
        f"The operation couldn't be performed because object '{identity}' couldn't be found on "
        f"'{controller}'.",
        "InvalidData",
    )


def ambiguous(identity: t.Any) -> ExchangeError:
    """Several objects have that name: a bare name is ambiguous across servers
    (Get-ReceiveConnector.md).
    """
    return task_error(
        "ManagementObjectAmbiguousException",
        f"The operation couldn't be performed because '{identity}' matches multiple entries.",
        "InvalidData",
    )


def exists_already(distinguished_name: str, controller: str) -> ExchangeError:
    """The directory has an object of that name."""
    return task_error(
        "ADObjectAlreadyExistsException",
        f"Active Directory operation failed on {controller}. The object '{distinguished_name}' "
        "already exists.",
        "WriteError",
    )


_CONFLICT = (
    "The values that you specified for the Bindings and RemoteIPRanges parameters conflict with "
    "the settings on Receive "
    'connector "{identity}".'
)


def role_conflict(identity: str) -> ExchangeError:
    """Two transport roles on one binding. Class and words: practical365.com, "Exchange Server 2013
    upgrade fails due to receive connector conflicts".
    """
    return task_error(
        "ReceiveConnectorRoleConflictException",
        f"{_CONFLICT.format(identity=identity)} Receive connectors assigned to different Transport "
        "roles on a single server must listen on unique local IP address & port bindings.",
    )


def range_conflict(identity: str) -> ExchangeError:
    """Equal or partly overlapping ranges on one binding (receive-connectors.md). What follows the
    first sentence is unverified.
    """
    return task_error(
        "ConnectorMappingConflictException",
        f"{_CONFLICT.format(identity=identity)} To fix this, either specify unique values for the "
        "Bindings or RemoteIPRanges parameters or change them on the other connector.",
    )


def unknown_command(cmdlet: str) -> ExchangeError:
    """A cmdlet that is not there, or that the user's roles hide."""
    return ExchangeError(
        "CommandNotFoundException",
        "CommandNotFoundException",
        "ObjectNotFound",
        f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, script file, or "
        "operable program. Check the spelling of the name, or if a path was included, verify that "
        "the path is correct and try again.",
        terminating=True,
    )


def _binding(
    error_id: str, message: str, class_name: str = "ParameterBindingException"
) -> ExchangeError:
    return ExchangeError(class_name, error_id, "InvalidArgument", message, terminating=True)


def unknown_parameter(parameter: str) -> ExchangeError:
    """A parameter that this version's cmdlet lacks, or that the user's roles hide. PowerShell's own
    words.
    """
    return _binding(
        "NamedParameterNotFound",
        f"A parameter cannot be found that matches parameter name '{parameter}'.",
    )


def missing_parameters(*parameters: str) -> ExchangeError:
    """Mandatory parameters that nobody can be asked for. PowerShell's own words."""
    names = " ".join(parameters)
    return _binding(
        "MissingMandatoryParameter",
        f"Cannot process command because of one or more missing mandatory parameters: {names}.",
    )


def null_argument(parameter: str) -> ExchangeError:
    """Null for what must not be null. PowerShell's own words."""
    error = _binding(
        "ParameterArgumentValidationErrorNullNotAllowed",
        f"Cannot validate argument on parameter '{parameter}'. The argument is null. Provide a "
        "valid value for the argument, and then try running the command again.",
        "ParameterBindingValidationException",
    )
    error.category = "InvalidData"
    return error


def ambiguous_set() -> ExchangeError:
    """Parameters that do not go together. PowerShell's own words."""
    return _binding(
        "AmbiguousParameterSet",
        "Parameter set cannot be resolved using the specified named parameters.",
    )


def not_convertible(parameter: str, value: t.Any, type_name: str, why: str) -> ExchangeError:
    """A value that is not of the parameter's type."""
    error = _binding(
        "ParameterArgumentTransformationError",
        f"Cannot process argument transformation on parameter '{parameter}'. Cannot convert value "
        f'"{value}" to type '
        f'"{type_name}". Error: "{why}"',
        "ParameterBindingArgumentTransformationException",
    )
    error.category = "InvalidData"
    return error


def nobody_to_ask(cmdlet: str) -> ExchangeError:
    """A cmdlet that asks for confirmation in a session where nobody answers (Remove- and Set- can
    prompt; words unverified).
    """
    return ExchangeError(
        "HostException",
        "HostFunctionNotImplemented",
        "NotImplemented",
        "A command that prompts the user failed because the host program or the command type does "
        "not support user interaction. "
        f"The command was {cmdlet}.",
        terminating=True,
    )


def printed_id(error: ExchangeError, cmdlet: str, server: str, numbered: bool) -> str:
    """The fully qualified id as a session prints it. Exchange 2013 and later put server and request
    in front (unverified).
    """
    error_id = error.fully_qualified_error_id
    if numbered and not error.terminating:
        moment = datetime.datetime.now(datetime.timezone.utc).strftime("%m/%d/%Y %H:%M:%S")
        error_id = (
            f"[Server={server},RequestId={uuid.uuid4()},TimeStamp={moment}] "
            f"[FailureCategory=Cmdlet-{error.class_name}] {error_id}"
        )
    # The vendor's suffix is the class of the task; a function in PowerShell can only have its own
    # name there.
    return error_id if error_id == "CommandNotFoundException" else f"{error_id},{cmdlet}"
