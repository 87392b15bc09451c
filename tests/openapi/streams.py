"""What schemathesis does not look at: whether the document's examples keep to its schemas, and whether the
streams say what the document says of them.

Run by `scripts/check-openapi` with the server's address and process, which it stops at the end.
"""

import json
import os
import signal
import sys
import threading

import jsonschema_rs
import requests

# How long anything that comes at once may take before it counts as missing.
PATIENCE = 20


class Document:
    def __init__(self, server):
        self.server = server
        self.json = requests.get(f"{server}/openapi.json", timeout=PATIENCE).json()

    def check(self, schema, value, where):
        """Fails if the value does not keep to the schema."""
        whole = {**schema, "components": self.json["components"]}
        validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        for error in validator.iter_errors(value):
            sys.exit(f"{where}: {error}")

    def events(self, path):
        """The events that a path's stream may have, by name."""
        return self.json["paths"][path]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]

    def check_examples(self):
        found = 0
        for where, media_type in media_types(self.json, "#"):
            examples = [example["value"] for example in media_type.get("examples", {}).values()]
            examples += [media_type["example"]] if "example" in media_type else []
            for example in examples:
                self.check(media_type["schema"], example, where)
                found += 1
            if "x-events" in media_type:
                for name, data in map(parse, blocks(media_type["example"].split("\n"))):
                    self.check_event(media_type["x-events"], name, data, where)
        assert found > 20, "where are the examples?"

    def check_event(self, events, name, data, where):
        event = events.get(name) or events.get("*")
        assert event, f"{where}: nothing is said of {name}"
        try:
            value = json.loads(data)
        except ValueError:
            value = data
        self.check(event["data"], value, f"{where}: {name} {data}")


def media_types(value, where):
    """Everything in the document that has a schema and stands under a media type."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if "/" in name and isinstance(inner, dict) and "schema" in inner:
                yield f"{where}/{name}", inner
            yield from media_types(inner, f"{where}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from media_types(inner, f"{where}/{index}")


def blocks(lines):
    """The lines of one event after the other."""
    block = []
    for line in lines:
        if line:
            block.append(line)
        elif block:
            yield block
            block = []


def parse(block):
    """An event's name and data, as a browser has them."""
    fields = [line.partition(": ")[::2] for line in block]
    name = next((value for field, value in fields if field == "event"), "message")
    return name, "\n".join(value for field, value in fields if field == "data")


class Stream:
    """A stream whose every event is held against the document."""

    def __init__(self, document, pattern, path, headers=None):
        self.where = path
        self.document, self.said = document, document.events(pattern)
        headers = {"Accept": "text/event-stream", **(headers or {})}
        self.answer = requests.get(document.server + path, headers=headers, stream=True, timeout=PATIENCE)
        assert self.answer.headers["Content-Type"] == "text/event-stream", self.answer.headers
        self.blocks = blocks(self.answer.iter_lines(decode_unicode=True, chunk_size=1))

    def read_until(self, *awaited):
        """Reads until each of these was there, and returns their data; what else comes is checked as well."""
        found = {}
        deadline = threading.Timer(PATIENCE, self.answer.close)
        deadline.start()
        for block in self.blocks:
            name, data = parse(block)
            self.document.check_event(self.said, name, data, self.where)
            found[name] = data
            if found.keys() >= set(awaited):
                break
        deadline.cancel()
        assert found.keys() >= set(awaited), f"{self.where}: of {awaited} only {list(found)} came"
        return found

    def read_to_end(self):
        for name, data in map(parse, self.blocks):
            self.document.check_event(self.said, name, data, self.where)


def post(document, path, body):
    answer = requests.post(document.server + path, json=body, timeout=PATIENCE)
    assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def check_events(document):
    stream = Stream(document, "/events", "/events?session_id=streams")
    stream.read_until("connected")
    post(document, "/events/broadcast", {"event_type": "test", "data": {"message": "Hello"}})
    stream.read_until("test")
    talk = {"text": "Tea is made of leaves. Leaves grow on hills. Hills are high, and rain is frequent there."}
    post(document, "/api/v1/summaries?session_id=streams", {"transcripts": [talk]})
    stream.read_until("summary_progress", "summary_complete", "system")
    stream.read_until("ping")
    Stream(document, "/events", "/events", {"Last-Event-ID": "1-0"}).read_until("connected", "gap")
    return stream


def check_jobs(document):
    pattern = "/api/v1/jobs/{jobId}/events"
    job = post(document, "/api/v1/jobs", {"keywords": ["rust"]})
    path = f"/api/v1/jobs/{job['jobId']}"
    stream = Stream(document, pattern, f"{path}/events")
    stream.read_until("message", "ping")
    report = {"status": "processing", "progress": 40, "stage": "reading", "data": {"articles": 12}}
    post(document, f"{path}/status", report)
    stream.read_until("message")
    post(document, f"{path}/status", {"status": "failed", "error": "no paper", "result": [1]})
    stream.read_to_end()
    revision = requests.get(document.server + path, timeout=PATIENCE).json()["revision"]
    again = requests.get(f"{document.server}{path}/events", headers={"Last-Event-ID": str(revision)}, timeout=PATIENCE)
    assert again.status_code == 204, again.status_code
    return Stream(document, pattern, "/api/v1/jobs/not-yet/events?wait=1")


def check_batches(document):
    pattern = "/api/v1/batches/{batchId}/events"
    made = post(document, "/api/v1/batches", {"title": "Monday", "jobs": [{"request": {}}, {"request": {}, "weight": 3}]})
    path = f"/api/v1/batches/{made['batchId']}/events"
    stream = Stream(document, pattern, path)
    stream.read_until("message", "ping")
    for job in made["jobIds"]:
        post(document, f"/api/v1/jobs/{job}/status", {"status": "completed"})
    stream.read_to_end()
    waiting = post(document, "/api/v1/batches", {"jobs": [{"request": {}}]})
    return Stream(document, pattern, f"/api/v1/batches/{waiting['batchId']}/events")


def check_subscriptions(document):
    task = {"queueName": "streams", "jobName": "print", "jobId": "streams-1", "data": {"pages": 3}}
    post(document, "/api/v1/queue/add", task)
    stream = Stream(document, "/api/v1/sse/connect", "/api/v1/sse/connect?job=streams-1&queue=streams&worker=printer")
    found = stream.read_until("connected", "subscribed", "job_update", "queue_update")
    connection = json.loads(found["connected"])["connectionId"]
    lease = post(document, "/api/v1/queues/streams/lease", {"workerId": "printer"})
    stream.read_until("job_update", "queue_update", "worker_status")
    report = {"status": "failed", "error": "no paper", "retryable": True, "leaseToken": lease["leaseToken"]}
    post(document, "/api/v1/jobs/streams-1/status", {**report, "data": {"page": 1, "status": "inside"}})
    stream.read_until("job_update")
    post(document, f"/api/v1/sse/{connection}/unsubscribe/queue/streams", None)
    stream.read_until("unsubscribed", "heartbeat")
    return stream


def main():
    document = Document(sys.argv[1])
    document.check_examples()
    checks = [check_events, check_jobs, check_batches, check_subscriptions]
    open_streams = [check(document) for check in checks]
    os.kill(int(sys.argv[2]), signal.SIGTERM)
    for stream in open_streams:
        stream.read_until("system")
    print("The examples and the streams are as the document says.")


main()
