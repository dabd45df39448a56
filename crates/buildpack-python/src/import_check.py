"""Imports a function once, as Pulsar's instance will, and writes down how it went.

Arguments: the folder with the function, its module, its class or nothing, the file to write to, the folder of the
dependencies if that is another.
What the runner brings and the build image lacks is stood in for.
"""
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import traceback
import types

OF_RUNNER = ("pulsar", "_pulsar", "google", "google.protobuf", "grpc", "prometheus_client", "bookkeeper", "ratelimit", "fastavro")
SECONDS = 60

folder, module_name, class_name, answer, *dependencies = sys.argv[1:]
stood_in = set()


class Anything(type):
    """A class with every attribute, each of them a class like it."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(name)

    def __iter__(cls):
        return iter(())


def stand_in(name):
    def __init__(self, *positional, **named):
        pass

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(name)

    def __call__(self, *positional, **named):
        # A decorator gives back what it decorates.
        return positional[0] if len(positional) == 1 and callable(positional[0]) else self

    return Anything(name, (), {"__init__": __init__, "__getattr__": __getattr__, "__call__": __call__})


class Function:
    """In place of pulsar.Function: it must not have attributes that a real one lacks."""

    def process(self, input, context):
        pass


class StandInModule(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = Function if name == "Function" and self.__name__ == "pulsar" else stand_in(name)
        setattr(self, name, value)
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        # A package `google` of a dependency has no `protobuf` in it; one of nobody is stood in for whole.
        if any(name == known or name.startswith(known + ".") for known in OF_RUNNER if known != "google") or name == "google":
            stood_in.add(name.split(".")[0])
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return StandInModule(spec.name)

    def exec_module(self, module):
        pass


class NotInBuild(Exception):
    """What the function asks of the place where it runs."""


def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        raise NotInBuild("it connects to a network when it is imported")


def place(error):
    """The innermost line of the function's folder."""
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename.startswith(folder + os.sep):
            found = frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and error.filename and error.filename.startswith(folder + os.sep):
        found = error.filename, error.lineno
    return (os.path.relpath(found[0], folder), found[1]) if found else (None, None)


def depends_on_place(error):
    """Whether it may go well where the function runs."""
    innermost = traceback.extract_tb(error.__traceback__)[-1:]
    reads_variable = isinstance(error, KeyError) and innermost and innermost[0].filename.endswith("os.py")
    frozen_os = isinstance(error, KeyError) and innermost and "os" in innermost[0].filename and "frozen" in innermost[0].filename
    lacks_library = isinstance(error, ImportError) and "cannot open shared object file" in str(error)
    lacks_module = isinstance(error, ModuleNotFoundError)
    by_stand_in = bool(stood_in - {"pulsar", "_pulsar"}) and not isinstance(error, SyntaxError) and not lacks_module
    return bool(isinstance(error, (NotInBuild, OSError)) or reads_variable or frozen_os or lacks_library or by_stand_in)


def check():
    sys.path[:0] = [folder, *dependencies]
    sys.meta_path.append(Finder())
    sys.argv = [module_name]
    sys.addaudithook(watch)
    try:
        module = importlib.import_module(module_name)
        if class_name:
            process = getattr(getattr(module, class_name), "process", None)
        else:
            process = getattr(module, "process", None)
        if not callable(process):
            return {"outcome": "no_process"}
        return {"outcome": "imported"}
    except BaseException as error:
        file, line = place(error)
        message = error.msg if isinstance(error, SyntaxError) and error.msg else str(error)
        return {
            "outcome": "depends" if depends_on_place(error) else "failed",
            "error": type(error).__name__,
            "message": message,
            "file": file,
            "line": line,
            "missing": error.name if isinstance(error, ModuleNotFoundError) else None,
        }


signal.alarm(SECONDS)
outcome = check()
with open(answer, "w", encoding="utf-8") as file:
    json.dump(outcome, file)
sys.stdout.flush()
# Threads that the module started are not waited for.
os._exit(0)
