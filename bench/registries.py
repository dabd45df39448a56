"""Registries to measure against: Debian's `docker-registry`, empty, and a line to it that is long."""
import collections
import pathlib
import queue
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, cache: {{blobdescriptor: inmemory}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
REQUEST = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE) \S+ HTTP/1\.1\r\n")


class Registry:
    """A registry with nothing in it, for the time of a `with` block."""

    def __init__(self, scratch):
        self.scratch = scratch

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fnpack-bench-registry-", dir=self.scratch))
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        config = self.folder / "config.yml"
        config.write_text(CONFIG.format(folder=self.folder, port=self.port))
        self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_until_it_answers()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_until_it_answers(self):
        end = time.monotonic() + 10
        while True:
            try:
                urllib.request.urlopen(f"http://{self.host}/v2/").close()
                return
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > end or self.process.poll() is not None:
                    self.__exit__()
                    raise RuntimeError("docker-registry does not start") from None
                time.sleep(0.005)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Line:
    """A line to a server for the time of a `with` block: every byte needs `delay` seconds each way, and a connection
    a whole round trip before its first byte. Counts connections and HTTP/1.1 requests by method.

    A request always opens a piece that was read: it is only sent once the one before was answered."""

    def __init__(self, server_port, delay=0.0):
        self.server_port, self.delay = server_port, delay
        self.connections, self.requests = 0, collections.Counter()

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def reset(self):
        self.connections, self.requests = 0, collections.Counter()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            open_from = time.monotonic() + 2 * self.delay
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.server_port))
            for one, other, counted in ((client, server, True), (server, client, False)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pieces = queue.SimpleQueue()
                threading.Thread(target=self.read, args=(one, pieces, counted, open_from), daemon=True).start()
                threading.Thread(target=send, args=(other, pieces), daemon=True).start()

    def read(self, connection, pieces, counted, open_from):
        while True:
            try:
                data = connection.recv(256 * 1024)
            except OSError:
                data = b""
            if counted and (request := REQUEST.match(data)):
                self.requests[request[1].decode()] += 1
            pieces.put((max(time.monotonic(), open_from) + self.delay, data))
            if not data:
                return


def send(connection, pieces):
    """Hands on each piece when it is due; an empty one is the end."""
    while True:
        due, data = pieces.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not data:
                connection.shutdown(socket.SHUT_WR)
                return
            connection.sendall(data)
        except OSError:
            return
