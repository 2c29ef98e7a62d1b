"""HTTP for every service: commands in, problems out, and everything in between bounded and traced."""

from chassis.http.app import create_app
from chassis.http.boundary import Limits, add_header
from chassis.http.commands import CommandMetadata, CommandRequest, answer, command_request, conditional
from chassis.http.problems import Problem

__all__ = [
    "CommandMetadata",
    "CommandRequest",
    "Limits",
    "Problem",
    "add_header",
    "answer",
    "command_request",
    "conditional",
    "create_app",
]
