#!/usr/bin/env python3
"""A worker for one queue of Tidings. Put your own code in `do_job`; the rest can stay as it is.

It leases one job after the other, says that it is alive while it works, and reports how far it is. If it dies,
the server gives its job to the next worker when the lease is over. On SIGTERM it finishes its job and ends;
a second SIGTERM ends it at once. It needs nothing but Python 3.9.
"""

import argparse
import json
import os
import random
import signal
import socket
import ssl
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlsplit


class GiveUp(Exception):
    """Raise it in `do_job` if another attempt would fail as well; any other exception is tried again."""


def do_job(job, progress):
    """Does one job; returns its result. Replace it.

    `job` has `jobId`, `jobName`, `data`, `attempt` and `attempts`. `progress(percent, stage, message)` tells
    those who watch, and raises `Over` if nobody wants the job from this worker any more: let that through.
    """
    data = job["data"] or {}
    steps = int(data.get("steps", 5))
    for step in range(steps):
        progress(100 * step / steps, "counting", f"Step {step + 1} of {steps}")
        time.sleep(float(data.get("pause", 0.2)))
    if "fail" in data:
        raise GiveUp(data["fail"])
    return {"steps": steps}


class Over(Exception):
    """The job was cancelled, or is another worker's by now."""


class Away(Exception):
    """The server cannot be reached, or wants to be asked again later."""

    def __init__(self, why, pause=None):
        super().__init__(why)
        self.pause = pause


class Server:
    """Where the jobs are."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self.host, self.base = parts.netloc, parts.path.rstrip("/")
        self.stopping = threading.Event()
        self.waiting = None

    def post(self, path, body, timeout=15, may_wait=False):
        """Returns the status and the JSON of the answer."""
        connection = self.kind(self.host, timeout=timeout)
        try:
            connection.connect()
            if may_wait:
                self.waiting = connection
                if self.stopping.is_set():
                    return 204, None
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", self.base + path, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise Away(f"the server cannot be reached: {error}") from error
        finally:
            self.waiting = None
            connection.close()
        if answer.status in (429, 502, 503, 504):
            pause = answer.headers.get("Retry-After", "")
            raise Away(f"the server answers {answer.status}", float(pause) if pause.isdigit() else None)
        return answer.status, json.loads(text) if text else None

    def lease(self, queue, worker, lease_seconds, wait_seconds):
        """The next job; None if there is none for so long."""
        wish = {"workerId": worker, "leaseSeconds": lease_seconds, "waitSeconds": wait_seconds}
        path = f"/api/v1/queues/{quote(queue, safe='')}/lease"
        status, answer = self.post(path, wish, timeout=wait_seconds + 15, may_wait=True)
        if status not in (200, 204):
            sys.exit(f"the server gives no lease: {answer}")
        return answer

    def stop(self, number, _frame):
        """Takes no other job. The server is told that nobody waits for its answer, and answers at once: with
        nothing, or with a job that it had given already, which is then done."""
        signal.signal(number, signal.SIG_DFL)
        self.stopping.set()
        waiting = self.waiting and self.waiting.sock
        if waiting and not isinstance(waiting, ssl.SSLSocket):
            try:
                waiting.shutdown(socket.SHUT_WR)
            except OSError:
                pass


class Lease:
    """A job that is this worker's for now."""

    def __init__(self, server, job):
        self.server, self.job = server, job
        self.over, self.ended = threading.Event(), threading.Event()
        threading.Thread(target=self.keep, daemon=True).start()

    def post(self, what, body):
        path = f"/api/v1/jobs/{quote(self.job['jobId'], safe='')}/{what}"
        status, answer = self.server.post(path, {"leaseToken": self.job["leaseToken"], **body})
        if status in (404, 409):
            self.over.set()
        return status, answer

    def keep(self):
        """Says that somebody works on the job, three times in a lease."""
        while not self.ended.wait(self.job["leaseSeconds"] / 3):
            try:
                _, answer = self.post("heartbeat", {})
            except Away:
                continue
            if (answer or {}).get("cancelled"):
                self.over.set()

    def report(self, status, **said):
        return self.post("status", {"status": status, "attempt": self.job["attempt"], **said})

    def progress(self, percent, stage, message):
        if not self.over.is_set():
            try:
                self.report("processing", progress=percent, stage=stage, message=message)
            except Away:
                pass  # The next one will tell it.
        if self.over.is_set():
            raise Over

    def end(self, status, **said):
        """Says how it ended, until the server has heard it. The name makes a second try no second end."""
        name = f"{self.job['leaseToken']}-end"
        for failures in range(1, 30):
            try:
                return self.report(status, updateId=name, **said)
            except Away as away:
                time.sleep(away.pause or backoff(failures))
        return None, f"the server is away; the end of {self.job['jobId']} is not told"


def work(server, job):
    lease = Lease(server, job)
    try:
        result = do_job(job, lease.progress)
        status, answer = lease.end("completed", result=result)
    except Over:
        return print(f"{job['jobId']}: not wanted any more", flush=True)
    except GiveUp as error:
        status, answer = lease.end("failed", error=str(error))
    except Exception as error:
        status, answer = lease.end("failed", error=f"{type(error).__name__}: {error}", retryable=True)
    finally:
        lease.ended.set()
    print(f"{job['jobId']}: {answer['status'] if status == 200 else answer}", flush=True)


def backoff(failures):
    """1, 2, 4 … 30 s, each up to half less by chance, so that many workers do not come at once."""
    return min(30, 2 ** (failures - 1)) * random.uniform(0.5, 1)


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("queue", nargs="?", default="demo", help="the queue [demo]")
    options.add_argument("--server", default="http://127.0.0.1:5001", help="[%(default)s]")
    options.add_argument("--id", default=f"{socket.gethostname()}-{os.getpid()}", help="[%(default)s]")
    options.add_argument("--lease", type=int, default=30, help="seconds in which it is heard of [30]")
    options.add_argument("--wait", type=int, default=20, help="seconds to wait for a job [20]")
    asked = options.parse_args()
    server = Server(asked.server)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    failures = 0
    while not server.stopping.is_set():
        try:
            job = server.lease(asked.queue, asked.id, asked.lease, asked.wait)
        except Away as away:
            failures += 1
            print(f"{away}; trying again", file=sys.stderr, flush=True)
            server.stopping.wait(away.pause or backoff(failures))
            continue
        failures = 0
        if job:
            work(server, job)


if __name__ == "__main__":
    main()
